import type { Transaction } from '@nocobase/database';
import type { Application } from '@nocobase/server';
import { z } from 'zod';

const withSignUp = z.object({ public: z.object({ allowSignUp: z.literal(true) }) });

/** Whether strangers can make accounts in the main app, under names that they choose. */
export class MainSignUp {
  private found = false;

  /** As last found. */
  get isOpen(): boolean {
    return this.found;
  }

  /** Checks it, and again when it is changed; called for each start of the main app. Never rejects. */
  watch(main: Application): void {
    const again = (_: unknown, { transaction }: { transaction?: Transaction } = {}) => {
      const check = () => void this.check(main);
      if (transaction) transaction.afterCommit(check);
      else check();
    };
    main.db.on('authenticators.afterSave', again);
    main.db.on('authenticators.afterDestroy', again);
    void this.check(main);
  }

  /** Another Supervisor of the same main database may have changed it. Never rejects. */
  async check(main: Pick<Application, 'db'>): Promise<void> {
    try {
      const enabled = await main.db.getRepository('authenticators').find({ filter: { enabled: true } });
      this.found = enabled.some(
        (row: { get(key: string): unknown }) => withSignUp.safeParse(row.get('options')).success,
      );
    } catch {
      // The main app is about to end, or has no such table yet. What was found last stays.
    }
  }
}
