import { MODULE } from './proxy-lanes';
import { proxyWeb } from './proxy-web-suite';

proxyWeb(MODULE);
