import { STAGES, testTokens } from './tokens-suite';

testTokens(Object.keys(STAGES) as Array<keyof typeof STAGES>);
