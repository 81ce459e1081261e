/*
 * Values of HTTP headers: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md#3132-http-header-values
 */

/** Encodes space, double quote, percent, and whatever is not printable ASCII, as bytes of UTF-8. */
export function percentEncode(text: string): string {
  return text.replace(/[^\x21\x23\x24\x26-\x7e]+/gu, (part) =>
    [...Buffer.from(part, 'utf8')].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );
}

/** One round of decoding, and of double quotes before it; what is no percent-encoding stays as it is. */
export function percentDecode(value: string): string {
  const quoted = /^"((?:[^"\\]|\\.)*)"$/.exec(value);
  const text = quoted?.[1] === undefined ? value : quoted[1].replace(/\\(.)/g, '$1');
  return text.replace(/(?:%[0-9A-Fa-f]{2})+/g, (part) =>
    new TextDecoder().decode(Buffer.from(part.replaceAll('%', ''), 'hex')),
  );
}
