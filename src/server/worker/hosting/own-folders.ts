import type { AppRecord } from '../../../shared/messages';
import type { Clock } from '../../clock';
import type { Log } from '../../log';
import type { Secrets } from '../../protocol/secrets';
import { takeFoldersOf } from './app-folders';
import type { HostDatabase } from './connection';
import type { BootPlan } from './plan';

/** The folders of the apps of this process, and the keys by which others give what belongs into them. */
export class OwnFolders {
  constructor(
    readonly storagePath: string,
    private readonly environment: string,
    private readonly connectionOf: (record: AppRecord) => HostDatabase,
    private readonly secrets: Secrets,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** Makes the folders of an app its own before it begins here. @throws errors of the file system */
  async take(record: AppRecord, plan: BootPlan = 'start'): Promise<void> {
    const { storagePath, environment } = this;
    const here = { storagePath, environment, now: this.clock.now().wall };
    await takeFoldersOf(record, this.connectionOf(record), plan, here, this.log);
  }

  /**
   * The key by which another Worker gives the uploads of this app; null if the record brings none.
   * @throws AppSupervisorError KEY_MISSING
   */
  transferKey(record: AppRecord): Buffer | null {
    const sealed = record.uploads?.key;
    return sealed ? Buffer.from(this.secrets.open(sealed, record, 'uploads'), 'base64url') : null;
  }
}
