import { describe, expect, test } from 'vitest';
import { AimaError, asAimaError, ERRORS } from '../../functions/core/errors.ts';

describe('the table of errors', () => {
  test.each(Object.entries(ERRORS))('%s can be said to a person and a program', (code, row) => {
    expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
    expect(row.httpStatus).toBeGreaterThanOrEqual(400);
    expect(row.httpStatus).toBeLessThan(600);
    expect(row.advice).toMatch(/^[A-Z].*\.$/);
    expect(row.title).not.toMatch(/\.$/);
  });

  test('no client is told to repeat what only it can correct', () => {
    for (const row of Object.values(ERRORS)) {
      if ([400, 401, 403, 404, 405, 413, 415].includes(row.httpStatus)) expect(row.retry).toBe('never');
    }
  });
});

describe('an error', () => {
  test('has the title of its code where nothing was said', () => {
    expect(new AimaError('not_found')).toMatchObject({ detail: 'Not found', message: 'Not found', data: {} });
    expect('cause' in new AimaError('not_found')).toBe(false);
  });

  test('keeps its cause and data', () => {
    const cause = new Error('why');
    const error = new AimaError('conflict', 'Two at once.', { cause, data: { id: 1 } });
    expect(error).toMatchObject({ cause, data: { id: 1 }, row: ERRORS.conflict });
    expect(asAimaError(error)).toBe(error);
  });

  test('anything thrown becomes internal, with itself as the cause', () => {
    expect(asAimaError('text')).toMatchObject({ code: 'internal', detail: 'text', cause: 'text' });
    expect(asAimaError(undefined)).toMatchObject({ code: 'internal', detail: 'undefined' });
  });
});
