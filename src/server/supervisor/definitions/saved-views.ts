import type { Model } from '@nocobase/database';
import type { z } from 'zod';
import { pickIn } from '../../../shared/fields';
import { say } from '../../../shared/message';
import { MOST_VIEWS, VIEW, type ViewRow } from '../../../shared/view';
import { AppSupervisorError } from '../../errors';
import { redactSqlErrors, type WithDatabase } from '../../nocobase/main-database';
import type { Random } from '../../random';
import { invalid, type newViewInput, type viewInput } from './input';

/** The `appViews` table. Every method is about the views of one user. */
export class ViewStore {
  constructor(
    private readonly app: WithDatabase,
    private readonly random: Pick<Random, 'hex'>,
  ) {}

  /** In the order of their names. */
  async list(userId: string): Promise<ViewRow[]> {
    const rows = await this.app.db.getRepository('appViews').find({ filter: { userId }, sort: ['name', 'id'] });
    return rows.map((row: Model) => pickIn(VIEW, 'row', row.toJSON() as ViewRow));
  }

  /** @throws AppSupervisorError INVALID_INPUT if there are too many, or one with this name */
  async create(userId: string, values: z.infer<typeof newViewInput>): Promise<ViewRow> {
    const views = await this.list(userId);
    if (views.length >= MOST_VIEWS) {
      const problem = say('INPUT_VIEWS', { field: 'name', most: MOST_VIEWS });
      throw new AppSupervisorError('INVALID_INPUT', { problem }, 'name');
    }
    assertFree(views, values.name);
    const view = { id: this.random.hex(6), ...values };
    await redactSqlErrors(() => this.model.create({ ...view, userId }));
    return view;
  }

  /** @throws AppSupervisorError UNKNOWN_VIEW, INVALID_INPUT if another one has this name */
  async update(userId: string, id: string, values: z.infer<typeof viewInput>): Promise<ViewRow> {
    const view = await this.find(userId, id);
    const others = (await this.list(userId)).filter((each) => each.id !== id);
    assertFree(others, values.name);
    await redactSqlErrors(() => this.model.update(values, { where: { id, userId } }));
    return { ...view, ...values };
  }

  /** @throws AppSupervisorError UNKNOWN_VIEW */
  async destroy(userId: string, id: string): Promise<void> {
    await this.find(userId, id);
    await this.app.db.getRepository('appViews').destroy({ filter: { id, userId } });
  }

  private async find(userId: string, id: string): Promise<ViewRow> {
    const view = (await this.list(userId)).find((each) => each.id === id);
    if (!view) throw new AppSupervisorError('UNKNOWN_VIEW', { view: id });
    return view;
  }

  private get model() {
    return this.app.db.getModel('appViews');
  }
}

function assertFree(views: readonly ViewRow[], name: string | undefined): void {
  if (views.some((each) => each.name === name)) throw invalid('name', 'INPUT_VIEW_TWICE');
}
