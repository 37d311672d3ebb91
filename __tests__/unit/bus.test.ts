import { describe } from 'vitest';
import { systemClock } from '../../src/server/clock';
import { MemoryBus } from '../../src/server/protocol/bus/memory';
import { busSuite } from '../contracts/bus-suite';

describe('memory', () => busSuite(async () => new MemoryBus(systemClock)));
