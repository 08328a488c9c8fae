/** The licence of weights whose package and source name none: they are fetched by whoever runs them, never passed on. */
export const unclearLicence = 'not stated';
