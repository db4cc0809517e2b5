/** The broker's address without user name and password: for logs, status and screens. */
export function brokerName(url: string): string {
  if (!URL.canParse(url)) return 'the broker';
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}
