/**
 * The S3 error codes this server answers, each with its HTTP status and default sentence.
 * Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
 */
const ERRORS = {
  AccessDenied: [403, 'Access denied.'],
  AuthorizationHeaderMalformed: [400, 'The authorization header is malformed.'],
  AuthorizationQueryParametersError: [400, 'The authorization query parameters are malformed.'],
  BadDigest: [400, 'The checksum you sent does not match what was received.'],
  BucketAlreadyOwnedByYou: [409, 'The bucket exists and is yours.'],
  BucketNotEmpty: [409, 'The bucket still holds objects.'],
  EntityTooLarge: [400, 'The body is larger than allowed.'],
  EntityTooSmall: [400, 'The body is smaller than allowed.'],
  IllegalLocationConstraintException: [400, 'This server serves another region.'],
  IncompleteBody: [400, 'The body ended before its announced length.'],
  InternalError: [500, 'The server met an unexpected condition.'],
  InvalidAccessKeyId: [403, 'The access key does not exist.'],
  InvalidArgument: [400, 'An argument is invalid.'],
  InvalidBucketName: [400, 'The bucket name is not valid.'],
  InvalidDigest: [400, 'The checksum you sent is not well formed.'],
  InvalidObjectName: [400, 'The object key is not valid.'],
  InvalidPart: [400, 'A part was not found, or its ETag differs.'],
  InvalidPartOrder: [400, 'The parts are not in ascending order.'],
  InvalidPolicyDocument: [400, 'The POST policy is not valid.'],
  InvalidRange: [416, 'The range cannot be satisfied.'],
  InvalidRequest: [400, 'The request is invalid.'],
  InvalidTag: [400, 'The tags are not valid.'],
  InvalidURI: [400, 'The address cannot be parsed.'],
  KeyTooLongError: [400, 'The key is longer than 1024 bytes.'],
  MalformedPOSTRequest: [400, 'The body is not well-formed multipart/form-data.'],
  MalformedXML: [400, 'The XML is not well formed or does not fit its schema.'],
  MetadataTooLarge: [400, 'The user metadata is larger than 2 KiB.'],
  MethodNotAllowed: [405, 'The method is not allowed here.'],
  MissingContentLength: [411, 'The Content-Length header is needed.'],
  NoSuchBucket: [404, 'The bucket does not exist.'],
  NoSuchBucketPolicy: [404, 'The bucket has no policy.'],
  NoSuchCORSConfiguration: [404, 'The bucket has no CORS configuration.'],
  NoSuchKey: [404, 'The key does not exist.'],
  NoSuchLifecycleConfiguration: [404, 'The bucket has no lifecycle configuration.'],
  NoSuchTagSet: [404, 'The bucket has no tags.'],
  NoSuchUpload: [404, 'The multipart upload does not exist; it may have been aborted or completed.'],
  NoSuchVersion: [404, 'The version does not exist; this server keeps none.'],
  NotImplemented: [501, 'This server does not implement that.'],
  PreconditionFailed: [412, 'A precondition does not hold.'],
  RequestTimeTooSkewed: [403, "The request's time and the server's differ by more than 15 minutes."],
  SignatureDoesNotMatch: [403, 'The signature is not the one the server computed.'],
  StorageFull: [507, 'The disk is full.'],
  XAmzContentSHA256Mismatch: [400, 'The body is not the one whose SHA-256 was signed.'],
} as const satisfies Record<string, readonly [status: number, message: string]>;

export type S3ErrorCode = keyof typeof ERRORS;

/** An answer to a bad request: becomes the S3 error document with its HTTP status. */
export class S3Error extends Error {
  readonly code: S3ErrorCode;
  readonly status: number;
  /** Extra response headers, such as `Content-Range` on a 416. */
  readonly headers: Record<string, string>;

  constructor(code: S3ErrorCode, message: string = ERRORS[code][1], headers: Record<string, string> = {}) {
    super(message);
    this.name = 'S3Error';
    this.code = code;
    this.status = ERRORS[code][0];
    this.headers = headers;
  }
}
