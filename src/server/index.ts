export { currentRuntime, PluginAppSupervisor as default } from './plugin';
