import { attackSuite } from '../attack/attack-suite';

attackSuite();
