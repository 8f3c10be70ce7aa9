import { vat } from './vat.js';

export const total = (pence) => pence + vat(pence);
