import { MODULE } from './proxy-lanes';
import { proxyPages } from './proxy-pages-suite';

proxyPages(MODULE);
