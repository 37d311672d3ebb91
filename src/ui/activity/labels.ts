import {
  EditOutlined,
  ExportOutlined,
  FireOutlined,
  ImportOutlined,
  LoginOutlined,
  SafetyOutlined,
  SwapOutlined,
  ToolOutlined,
} from '@ant-design/icons';
import type { EventKind } from '../../shared/words';
import type { Tone } from '../common/status';
import { key } from '../common/text';
import type { Period } from './query';

interface Shown {
  label: string;
  tone: Tone;
  /** What it means, where the label does not say so. */
  help?: string;
  /** If it differs from that of the tone. */
  icon?: typeof EditOutlined;
}

export const KINDS: Record<EventKind, Shown> = {
  change: { label: key('Request'), tone: 'off', icon: EditOutlined },
  healing: {
    label: key('Healing'),
    tone: 'asleep',
    icon: ToolOutlined,
    help: key('The Supervisor has begun this itself, so that what runs is what was asked for.'),
  },
  failover: { label: key('Failover'), tone: 'warning', icon: ExportOutlined },
  failback: { label: key('Failback'), tone: 'good', icon: ImportOutlined },
  failure: { label: key('Failure'), tone: 'bad' },
  crash: { label: key('Crash'), tone: 'bad', icon: FireOutlined },
  health: { label: key('Outage'), tone: 'bad' },
  memory: { label: key('Memory near limit'), tone: 'warning' },
  disk: { label: key('Disk near limit'), tone: 'warning' },
  uploads: { label: key('Uploads not copied'), tone: 'warning' },
  door: { label: key('Door'), tone: 'warning' },
  holder: {
    label: key('Takeover'),
    tone: 'warning',
    icon: SwapOutlined,
    help: key('Another process of the environment hosts its apps from now on.'),
  },
  signIn: { label: key('Sign-in'), tone: 'off', icon: LoginOutlined },
  refusal: { label: key('Rejected message'), tone: 'warning', icon: SafetyOutlined },
};

export const PERIOD_LABELS: Record<Period, string> = {
  '1h': key('Last hour'),
  '24h': key('Last 24 hours'),
  '7d': key('Last 7 days'),
  '30d': key('Last 30 days'),
};

/** Parts of settings that the form has no field of its own for. */
export const PART_LABELS: Record<string, string> = {
  'database.host': key('Host'),
  'database.port': key('Port'),
  'database.username': key('User'),
  'database.password': key('Password'),
  sso: key('Single sign-on'),
  'sso.enabled': key('Sign-in by the main app'),
  'sso.mapping': key('First sign-in'),
  'sso.autoSignup': key('Create missing accounts'),
  'sso.signupRole': key('Role of created accounts'),
  'sso.signupFor': key('Accounts are created for'),
  'sso.passwordSignIn': key('Own sign-in'),
  'notifier.enabled': key('Send notifications'),
  'notifier.kinds': key('About'),
  'notifier.channel': key('Channel'),
  'notifier.receivers': key('Receivers'),
  'notifier.url': key('Address of the receiver'),
  'notifier.secret': key('Secret'),
};
