import type { FlowEngine, ModelClass } from '@nocobase/flow-engine';
import { PLUGIN } from '../../shared/names';
import { key } from '../common/text';
import Applications from './Applications';
import type { ClientName } from './entries';

const TITLE = key('Applications');

/**
 * The model of the Applications block. It is created from the host's own model when a page first needs it, so that a
 * client's start does not fail if the model is missing.
 */
export async function createBlock(engine: FlowEngine, client: ClientName): Promise<ModelClass> {
  const Base = await engine.getModelClassAsync('BlockModel');
  if (!Base) throw new Error('This NocoBase has no BlockModel.');
  class ApplicationsBlockModel extends Base {
    renderComponent() {
      return <Applications client={client} />;
    }
  }
  ApplicationsBlockModel.define({
    label: `{{t(${JSON.stringify(TITLE)}, ${JSON.stringify({ ns: [PLUGIN, 'client'] })})}}`,
    createModelOptions: { use: 'ApplicationsBlockModel' },
  });
  return ApplicationsBlockModel;
}
