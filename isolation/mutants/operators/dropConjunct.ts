import { dropEachConjunct } from '../expression.ts';
import { rewriting } from '../rewrite.ts';

/** One of the things that AND asks for is asked for no more. */
export const dropConjunct = rewriting(dropEachConjunct);
