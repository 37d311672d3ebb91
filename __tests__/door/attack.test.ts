import { attackSuite } from '../attack/attack-suite';
import { ATTACKS } from '../attack/attacks';

attackSuite(ATTACKS);
