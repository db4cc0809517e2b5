/** The first seed that catches each defect; written by `npm run sim -- --defects --update`. */
export const HINTS: Readonly<Record<string, number>> = {};
