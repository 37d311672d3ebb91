import { AppSupervisorError } from '../../errors';
import { type Guard, guardMethod } from './guard';

/**
 * MCP clients of an app start no programs: such a program would run with the permissions of this process, next to all
 * other apps.
 */
export const mcp: Guard = {
  beforeLoad: ({ aiManager }) => {
    const prototype = Object.getPrototypeOf(aiManager.mcpManager);
    // Every way to a client uses this method. The guard checks its result, because a variable may contain the
    // transport.
    guardMethod(prototype, 'buildMCPConnection', (original, args) => {
      const connection = original(...args) as { transport?: unknown };
      if (connection.transport === 'http' || connection.transport === 'sse') return connection;
      throw new AppSupervisorError('MCP_PROGRAM');
    });
    // All clients of an app are connected together: one that is refused would make the others fail.
    guardMethod(prototype, 'listMCP', async (original, args) => {
      const entries = (await original(...args)) as Array<{ transport?: unknown }>;
      return entries.filter(({ transport }) => transport !== 'stdio');
    });
  },
};
