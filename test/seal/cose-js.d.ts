declare module 'cose-js' {
  const cose: { mac: { read(message: Buffer, key: Buffer): Promise<Buffer> } };
  export default cose;
}
