/** Names that the specification or this library gives a meaning; 1.0 dropped the last two, which SDKs still refuse. */
const taken = new Set([
  ...['specversion', 'id', 'source', 'type', 'subject', 'time', 'datacontenttype', 'dataschema', 'data'],
  ...['partitionkey', 'position', 'traceparent', 'tracestate', 'datacontentencoding', 'schemaurl'],
]);

/** Whether an extension may have the name: lower-case letters and digits, and none that has a meaning already. */
export function isExtensionName(name: string): boolean {
  return /^[a-z0-9]+$/.test(name) && !taken.has(name);
}

/** Names longer than this are legal, but receivers may refuse them ("SHOULD NOT exceed 20 characters"). */
export const longestAdvisedName = 20;

/** Whether a text holds none of the characters that CloudEvents forbids: controls, lone surrogates, non-characters. */
export function isLegalText(text: string): boolean {
  return !/[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u.test(text);
}

/** Whether a text is made of what a URI reference may hold: https://www.rfc-editor.org/rfc/rfc3986#section-2 */
export function isUriReference(text: string): boolean {
  return /^(?:[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+$/.test(text);
}

/** Whether a number can be an Integer of CloudEvents. */
export function isInt32(value: number): boolean {
  return Number.isInteger(value) && value >= -(2 ** 31) && value < 2 ** 31;
}
