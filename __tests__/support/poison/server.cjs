const { Plugin } = require('@nocobase/server');

const ENDS = {
  'poison: exit': () => process.exit(3),
  'poison: memory': () => {
    for (const held = []; ; ) held.push(new Array(1e5).fill(Math.random()));
  },
};

/** Takes the process of an app down while the app starts, in the way that the app's own title says. */
class Poison extends Plugin {
  load() {
    this.app.on('beforeStart', async () => {
      const settings = await this.db.getRepository('systemSettings').findOne();
      ENDS[settings?.get('title')]?.();
    });
  }
}

Object.defineProperty(exports, '__esModule', { value: true });
exports.default = Poison;
