// @ts-nocheck
// As in the bundle: importing a `.lua` file returns its text.
const { readFileSync } = require('node:fs');

require.extensions['.lua'] = (module, file) => {
  module.exports = { __esModule: true, default: readFileSync(file, 'utf8') };
};
