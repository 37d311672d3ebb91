import { LANGUAGE } from '../../../shared/names';
import { type Guard, guardMethod } from './guard';

/**
 * A language such as `en-US`, `zh_CN` or `es-419`; not `../../config`, for which NocoBase would look as a file, and run
 * a script of that name.
 */
export const isLanguage = (lang: unknown): boolean => typeof lang === 'string' && LANGUAGE.test(lang);

/** The enabled languages are an app's own setting, and visitors request texts by language without signing in. */
export const languages: Guard = {
  beforeLoad: ({ localeManager }) => {
    const prototype = Object.getPrototypeOf(localeManager);
    const { defaultLang } = localeManager;
    guardMethod(prototype, 'get', (original, [lang]) => original(isLanguage(lang) ? lang : defaultLang));
    guardMethod(prototype, 'getBuiltInResources', async (original, [lang]) => (isLanguage(lang) ? original(lang) : {}));
  },
};
