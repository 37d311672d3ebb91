import type { HostConfig } from '../../config/core-settings';
import { AppSupervisorError } from '../../errors';
import { type Guard, guardPlugin } from './guard';
import { withConfined } from './processor';

/**
 * @param config of an LLM node, with its variables put in
 * @throws AppSupervisorError IMAGE_ADDRESS for an image that is not read by HTTP: NocoBase reads the file of that name
 */
export function withImagesByHttp(config: unknown): unknown {
  for (const message of list(field(config, 'messages'))) {
    for (const part of list(field(message, 'content'))) {
      for (const image of list(field(field(part, 'image_url'), 'url'))) {
        const url = typeof image === 'string' ? image : field(image, 'url');
        if (url && !(typeof url === 'string' && /^https?:\/\//i.test(url)))
          throw new AppSupervisorError('IMAGE_ADDRESS');
      }
    }
  }
  return config;
}

const field = (value: unknown, name: string): unknown => (value as Record<string, unknown> | null | undefined)?.[name];
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : value === undefined ? [] : [value]);

/** LLM nodes of apps send no files of the host. */
export const images = (host: HostConfig): Guard => ({
  afterLoad: (app) => {
    if (!app.pm.get('workflow')) return;
    guardPlugin(app, host, ['ai', 'workflow/nodes/llm/index', 'LLMInstruction'], ['run'], async (original, args) =>
      original(...withConfined(args, withImagesByHttp)),
    );
  },
});

/**
 * A file that an AI employee reads. A script of a workflow can hand over one that is no row, and NocoBase names temporary
 * files after its id.
 */
export function withIdOfRow(file: unknown): unknown {
  const plain = (
    typeof field(file, 'toJSON') === 'function' ? (file as { toJSON(): unknown }).toJSON() : file
  ) as object;
  const isName = (name: string) => /^[\w-]*$/.test(String(field(plain, name) ?? ''));
  return isName('id') && isName('storageId') ? file : { ...plain, id: undefined };
}

/** Documents that AI employees read leave nothing outside of the folder for temporary files. */
export const documents = (host: HostConfig): Guard => ({
  afterLoad: (app) => {
    const loader = ['ai', 'document-loader/cached', 'CachedDocumentLoader'] as const;
    guardPlugin(app, host, loader, ['load'], async (original, [file, ...rest]) => original(withIdOfRow(file), ...rest));
  },
});
