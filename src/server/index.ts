export { PluginAppSupervisor as default, registerOwnCommands } from './plugin';
