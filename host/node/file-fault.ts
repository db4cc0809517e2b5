import { Fault, systemCode } from '../fault.js';

/**
 * Why a file can't be read or written, in the words of the remedy.
 * @param what what was tried, or the path alone
 * @param path whose owner may do it
 */
export function fileFault(error: unknown, what: string, path: string): Fault {
  if (error instanceof Fault) return error;
  const code = systemCode(error);
  const message = `${what}: ${error instanceof Error ? error.message : String(error)}`;
  if (code === 'EACCES' || code === 'EPERM')
    return new Fault('permission', message, `run this as the user that owns ${path}`, error);
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new Fault('disk-full', message, 'make room on that disk', error);
  if (code === 'EROFS') return new Fault('read-only', message, 'the file system is mounted read only', error);
  if (code === 'EMFILE' || code === 'ENFILE')
    return new Fault(
      'too-many-files',
      message,
      'raise the limit with `ulimit -n 8192`, or run fewer devices',
      error,
    );
  return new Fault('file-failed', message, '', error);
}
