import { testTokens } from './tokens-suite';

/** In long/tokens.test.ts after everything that may happen to an app. */
testTokens(['as they were issued', 'after the apps were restarted']);
