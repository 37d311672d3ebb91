import { STAGES, testTokens } from '../e2e/tokens-suite';

testTokens(Object.keys(STAGES) as Array<keyof typeof STAGES>);
