import { AppSupervisorError } from '../../errors';
import { type Guard, guardMethod } from './guard';

/** MCP clients of an app start no programs: such a program would run as this process does, beside all other apps. */
export const mcp: Guard = {
  beforeLoad: ({ aiManager }) => {
    const prototype = Object.getPrototypeOf(aiManager.mcpManager);
    // Every way to a client leads through here. What was built is looked at, since a variable may stand for the transport.
    guardMethod(prototype, 'buildMCPConnection', (original, args) => {
      const connection = original(...args) as { transport?: unknown };
      if (connection.transport === 'http' || connection.transport === 'sse') return connection;
      throw new AppSupervisorError('MCP_PROGRAM');
    });
    // All clients of an app are connected together: one that cannot be would take the others with it.
    guardMethod(prototype, 'listMCP', async (original, args) => {
      const entries = (await original(...args)) as Array<{ transport?: unknown }>;
      return entries.filter(({ transport }) => transport !== 'stdio');
    });
  },
};
