import type { Application } from '@nocobase/server';
import { type Message, say } from '../../shared/message';
import type { AdminPassword } from '../../shared/messages';
import type { Clock } from '../clock';
import { Feed } from '../feed';
import { watchAdminPassword } from '../worker/hosting/first-administrator';

/** The problem of the password of the main app's root user. */
export class MainAdminPassword {
  readonly changes = new Feed<AdminPassword | null>();
  private found: AdminPassword | null = null;

  constructor(private readonly clock: Clock) {}

  /** As last found; null if there is none. */
  get problem(): AdminPassword | null {
    return this.found;
  }

  /** Checks it, and again when it is changed; called for each start of the main app. Never rejects. */
  watch(main: Application): void {
    void watchAdminPassword(main, this.clock, (found) => {
      if (this.found === found) return;
      this.found = found;
      this.changes.emit(found);
    });
  }

  warnings(): Message[] {
    return this.found ? [say('OWN_ADMIN_KNOWN')] : [];
  }
}
