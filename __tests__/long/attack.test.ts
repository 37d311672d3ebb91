import { attackSuite } from '../attack/attack-suite';
import { ATTACKS, needsDoor } from '../attack/attacks';

attackSuite(ATTACKS.filter((attack) => !needsDoor(attack)));
