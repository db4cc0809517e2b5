import { offer } from './exported.js';
import { TROUBLES } from './trouble.js';

offer({ trouble: (index: number) => TROUBLES[index].run() });
