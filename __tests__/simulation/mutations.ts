/** The product broken on purpose: a simulator that finds nothing may be blind. */

export interface Mutant {
  /** What is broken. */
  what: string;
  /** The finding that it would bring back: findings are numbered C1 to C19. */
  finding?: string;
  /** Below `src/server`, a text that is there once, and what takes its place. */
  changes: Array<readonly [file: string, text: string, by: string]>;
  /** Where the simulator does not reach: the test that guards it, below `__tests__`, in the project of its first folder. */
  test?: string;
}

export const MUTANTS: Mutant[] = [
  {
    what: 'A Worker that returns acts before its records are read',
    finding: 'C1',
    changes: [
      [
        'worker/worker.ts',
        '    const end = clock.now().mono + recordsWithin;\n',
        '    controller.goByCache();\n    await clock.sleep(5_000);\n    const end = clock.now().mono + recordsWithin;\n',
      ],
    ],
  },
  {
    what: 'What waits in the boot queue keeps the record that it was queued with',
    finding: 'C1',
    changes: [
      [
        'worker/apps/boots.ts',
        'let turn = await bootQueue.turn(',
        'const queued = this.wish(held);\n    let turn = await bootQueue.turn(',
      ],
      ['worker/apps/boots.ts', 'const wish = turn && this.wish(held);', 'const wish = turn && queued;'],
      ['worker/apps/boots.ts', 'held.record === record && ', ''],
      ['worker/apps/controller.ts', 'held.waiting && !this.boots.isWanted(held)', 'false'],
    ],
  },
  {
    what: 'An environment that was forgotten boots its old apps',
    finding: 'C2',
    changes: [['worker/apps/floor.ts', 'floor <= this.current', '(true as boolean)']],
    test: 'unit/record-reader.test.ts',
  },
  {
    what: 'A challenger hosts, too',
    finding: 'C3',
    changes: [
      ['worker/tenures.ts', "return this.state === 'holder' || this.state === 'holding';", 'return true;'],
      ['worker/tenures.ts', 'return this.hosts && (await this.lease.confirm()) && this.mayBegin;', 'return true;'],
    ],
    test: 'unit/tenures.test.ts',
  },
  {
    what: 'A displaced process goes on with its apps',
    finding: 'C3',
    changes: [['worker/services.ts', 'return controller.standDown();', 'return Promise.resolve(true);']],
    test: 'unit/simulation.test.ts',
  },
  {
    what: 'A former tenure is announced again',
    finding: 'C3',
    changes: [
      [
        'protocol/stores/memory/leases.ts',
        "if (last > epoch) return { by: 'newer', epoch: last, instance: null };",
        '',
      ],
    ],
    test: 'unit/stores.test.ts',
  },
  {
    what: 'A challenger takes a lease that it has seen for half of its time',
    finding: 'C4',
    changes: [['lease/lease.ts', 'now - since >= expiry)', 'now - since >= expiry / 2)']],
    test: 'unit/memory-database.test.ts',
  },
  {
    what: 'A challenger counts a time in which it could not look',
    finding: 'C4',
    changes: [['lease/lease.ts', 'isSame && now - seen.lookedAt <= expiry / 2 ?', 'isSame ?']],
    test: 'unit/memory-database.test.ts',
  },
  {
    what: 'A lease is taken although somebody has changed its row since it was read',
    changes: [
      [
        'lease/lease.ts',
        'this.update(row, { holder: instance, beat, term })',
        'this.update({}, { holder: instance, beat, term })',
      ],
    ],
    test: 'unit/memory-database.test.ts',
  },
  {
    what: 'A process that could not renew its lease begins things',
    changes: [['lease/lease.ts', 'this.options.clock.now().mono - this.renewedAt < this.expiry / 2', 'true']],
    test: 'unit/tenures.test.ts',
  },
  {
    what: 'A tenure goes on although the row names another process',
    changes: [['lease/lease.ts', '      this.lose();\n      return true;', '      return true;']],
    test: 'unit/tenures.test.ts',
  },
  {
    what: 'A tenure goes on in its term where the database has lost what it wrote',
    changes: [['lease/lease.ts', ' && row.beat >= this.beat', '']],
    test: 'unit/memory-database.test.ts',
  },
  {
    what: 'A holder begins things by an older copy of the database in which nobody has the lease',
    changes: [['lease/lease.ts', ' || (this.isHeld && row.holder === null)', '']],
    test: 'unit/memory-database.test.ts',
  },
  {
    what: 'A term is not above what the row says',
    changes: [
      [
        'lease/lease.ts',
        'Math.max(row.term, this.term, above, clock.now().wall - 1) + 1',
        'Math.max(this.term, above, clock.now().wall - 1) + 1',
      ],
    ],
    test: 'unit/memory-database.test.ts',
  },
  {
    what: 'A process that ends keeps its lease',
    changes: [['lease/lease.ts', 'await this.ask(() => this.update({ holder: instance }, { holder: null }));', '{}']],
    test: 'unit/memory-database.test.ts',
  },
  {
    what: 'A process that could not end its apps hosts again',
    changes: [
      [
        'worker/tenures.ts',
        'this.isSpent = !hasEnded;\n    if (hasEnded) return',
        'if (hasEnded || this.options.clock) return',
      ],
    ],
    test: 'unit/tenures.test.ts',
  },
  {
    what: 'A process that does not reach its database does not hear in the store that it was displaced',
    changes: [['worker/tenures.ts', 'if (!this.lease.leads) this.lease.lose();', '']],
    test: 'unit/tenures.test.ts',
  },
  {
    what: 'What something else says raises a term without a bound',
    changes: [['worker/tenures.ts', '!isCredible(term, this.options.clock.now().wall) || ', '']],
    test: 'unit/tenures.test.ts',
  },
  {
    what: 'A second installation takes the place of the first one',
    changes: [
      [
        'protocol/stores/memory/leases.ts',
        'current && !isMine && current.place !== lease.place',
        'current && !isMine && !current.place',
      ],
    ],
    test: 'unit/tenures.test.ts',
  },
  {
    what: 'A second installation begins things',
    changes: [['worker/tenures.ts', "this.state === 'holder' && !this.announcer.isRefused", "this.state === 'holder'"]],
    test: 'unit/tenures.test.ts',
  },
  {
    what: 'A hanging database is asked by the connection that hangs',
    changes: [['lease/lease.ts', '    if (!this.isAlone) connection.reset();\n    throw', '    throw']],
    test: 'integration/lease.test.ts',
  },
  {
    what: 'A main database is known by its address',
    changes: [
      [
        'worker/installation.ts',
        "[id, server, environment].join('|')",
        "[main.host, main.port, main.database, environment].join('|')",
      ],
    ],
    test: 'integration/lease.test.ts',
  },
  {
    what: 'A Worker reads what an older copy of Redis has of before it was forgotten',
    finding: 'C2',
    changes: [['worker/record-reader.ts', 'floor === null || floor >= this.options.controller.floor.current', 'true']],
    test: 'unit/record-reader.test.ts',
  },
  {
    what: 'A Supervisor that has lost most of its fleet takes itself for disconnected for ever',
    changes: [['protocol/health.ts', 'lost.filter((at) => now.mono - at < CUT_OFF_FOR)', 'lost']],
    test: 'unit/observer.test.ts',
  },
  {
    what: 'The beat of an older copy of Redis counts',
    changes: [
      [
        'protocol/health.ts',
        'if (lease.epoch === before.lease?.epoch && lease.beat < before.lease.beat) return { ...before, wentBack: true };',
        '',
      ],
    ],
    test: 'unit/health.test.ts',
  },
  {
    what: 'An app starts while its former environment can still write',
    changes: [['worker/hosting/claim.ts', 'await endOthers(place, record, verdict.write);', '']],
  },
  {
    what: 'An app starts before it has ended in its former environment',
    changes: [
      ['supervisor/rollout/boots.ts', 'return Object.keys(app.published).find(isHeld) ?? null;', 'return null;'],
    ],
  },
  {
    what: 'An app leaves an environment as soon as that is down',
    changes: [['supervisor/rollout/failover-candidates.ts', 'app.failoverDelay * 1_000 - downFor', '-1']],
  },
  {
    what: 'An app stays in an environment that is down',
    changes: [['supervisor/placement/failovers.ts', 'if (!due.length) return next;', 'return next;']],
  },
  {
    what: 'An app leaves an environment that is down half a minute late',
    changes: [['supervisor/placement/failovers.ts', 'environment, downFor);', 'environment, downFor - 30_000);']],
  },
  {
    what: 'An app returns each time that its home is back',
    changes: [['supervisor/rollout/failover-candidates.ts', 'Math.max(0, FAILBACK_AFTER - wellFor, apart)', '0']],
  },
  {
    what: 'An app does not return',
    changes: [['supervisor/placement/failovers.ts', "view?.health === 'online' ? this.bringHome(view) : null", 'null']],
  },
  {
    what: 'A boot does not ask whether its process is still the host',
    changes: [['worker/apps/boots.ts', 'if (!(await authority.confirm())) return null;', '']],
    test: 'unit/app-boots.test.ts',
  },
  {
    what: 'A boot does not look whether its app has left',
    changes: [['worker/hosting/claim.ts', 'own.gone ? own.generation >= generation : ', '']],
    test: 'unit/hosting-claim.test.ts',
  },
  {
    what: 'A boot takes its app from where a newer record has started it',
    changes: [['worker/hosting/claim.ts', '!row.gone && row.generation > generation', 'false']],
    test: 'unit/hosting-claim.test.ts',
  },
  {
    what: 'What an app’s own database knows of a newer start is not believed',
    changes: [['supervisor/rollout/plan.ts', 'entry.newest + 1', '0']],
    test: 'unit/plan.test.ts',
  },
  {
    what: 'An app ends where a foreign backup is restored into it',
    changes: [
      [
        'worker/hosting/guarded-pool.ts',
        "if (row?.uid !== uid) return 'lost';",
        "if (row?.uid !== uid) return 'refused';",
      ],
    ],
    test: 'unit/hosting-claim.test.ts',
  },
  {
    what: 'A restored app gets no row of its process',
    changes: [['worker/apps/reclaims.ts', "if (held.state === 'running' && stays) await this.claim(name, held);", '']],
    test: 'unit/app-controller.test.ts',
  },
  {
    what: 'A running app keeps in its database whom its record does not name any more',
    changes: [['worker/apps/decide.ts', 'claimed && cutsOff(claimed, record)', 'false']],
    test: 'unit/decide.test.ts',
  },
  {
    what: 'An environment that is down may host its former app for ever',
    changes: [['supervisor/rollout/hosts.ts', "return health === 'down' || confirms", 'return confirms']],
  },
  {
    what: 'An app that leaves keeps its row',
    changes: [
      ['worker/hosting/claim.ts', 'if (newest !== undefined) throw', 'if (newest === undefined) return;\n  throw'],
    ],
    test: 'unit/hosting-claim.test.ts',
  },
  {
    what: 'A displaced process keeps its sessions in the databases of apps',
    changes: [['databases/host-rows.ts', 'await dialect.endSessions(session, left);', 'return;']],
  },
  {
    what: 'A claim does not wait until the sessions that it ends are gone',
    changes: [
      [
        'databases/host-rows.ts',
        'await dialect.endSessions(session, left);',
        'await dialect.endSessions(session, left);\n      if (until) return;',
      ],
    ],
  },
  {
    what: 'A claim reads and writes rows in statements of their own',
    changes: [['databases/host-rows.ts', 'await at.query(begin);\n', 'if (!begin) await at.query(begin);\n']],
    test: 'unit/memory-server.test.ts',
  },
  {
    what: 'A claim is made in another session than that of the boot lock',
    changes: [
      [
        'worker/hosting/hosted-databases.ts',
        'return this.inPlace(record, (place) => claimHosting(place, record, authority), lock);',
        'return this.inPlace(record, (place) => claimHosting(place, record, authority), lock && undefined);',
      ],
    ],
    test: 'unit/memory-server.test.ts',
  },
  {
    what: 'A connection of a pool is not marked',
    changes: [['databases/host-rows.ts', 'if (!(await dialect.mark(query, markOf(uid, host))))', 'if (!host.holder)']],
  },
  {
    what: 'A connection of a pool does not look for its row',
    changes: [
      [
        'worker/hosting/guarded-pool.ts',
        'found = judgeAdmission(row, { holder, term }, uid);',
        "found = row ? 'own' : judgeAdmission(row, { holder, term }, uid);",
      ],
    ],
  },
  {
    what: 'The session that takes the boot lock is not marked',
    changes: [
      [
        'databases/lock.ts',
        'if (mark && !(await server.answer(dialect.mark((...query) => session.query(...query), mark))))',
        'if (mark && !mark.group)',
      ],
    ],
    test: 'unit/memory-server.test.ts',
  },
  {
    what: 'A boot goes on that has lost its lock',
    changes: [
      [
        'worker/hosting/host.ts',
        "if (!(await lock.isHeld())) throw new AppSupervisorError('LOCK_LOST', { app: name });",
        '',
      ],
    ],
    test: 'unit/simulation.test.ts',
  },
  {
    what: 'A boot looks into the database and empties it in another session than that of its lock',
    changes: [['databases/open.ts', 'if (locked) return', 'if (locked && !ms) return']],
    test: 'unit/memory-server.test.ts',
  },
  {
    what: 'A Worker from which an app was taken gives its role the former password',
    changes: [
      ['worker/apps/boots.ts', "if ('newest' in verdict) throw", "if ('newest' in verdict && !verdict.newest) throw"],
    ],
    test: 'unit/simulation.test.ts',
  },
  {
    what: 'A place is claimed whose marker names another app',
    changes: [['databases/host-rows.ts', 'refuseForeignMarker(at.place, mark ??', 'void (mark ??']],
    test: 'unit/memory-server.test.ts',
  },
  {
    what: 'A drop is not checked again once its session is marked',
    changes: [['databases/drop.ts', "verdict = await check();\n        if (verdict === 'drop') await", 'await']],
    test: 'unit/memory-server.test.ts',
  },
  {
    what: 'The session of a drop is not marked',
    changes: [['databases/drop.ts', 'await beginDrop(at);', '']],
    test: 'unit/memory-server.test.ts',
  },
  {
    what: 'A place gets another owner while a drop of it goes on',
    changes: [['databases/prepare.ts', 'await inPlace(worker, DEADLINE, async (own) => own && endDrops(own));', '']],
    test: 'unit/memory-server.test.ts',
  },
  {
    what: 'A leader writes to the database in whatever term',
    finding: 'C5',
    changes: [
      [
        'supervisor/control/leader.ts',
        "if (row && Number(row.get('beat')) >= this.lease.beat) return;",
        'if (row || this.term) return;',
      ],
    ],
  },
  {
    what: 'A boot that never ends keeps its place in the queue',
    finding: 'C6',
    changes: [['worker/apps/boot-queue.ts', 'await within(this.clock, BOOT, ended, false)', 'await ended']],
  },
  {
    what: 'Every visit is reported',
    finding: 'C7',
    changes: [
      [
        'worker/apps/controller.ts',
        "if (held.record.desired === 'stopped' || held.state === 'running' || held.visited) return true;",
        "if (held.record.desired === 'stopped' || held.state === 'running' || held.visited) {\n      this.apps.report(name);\n      return true;\n    }",
      ],
      // A second guard, at the reader.
      ['protocol/stores/statuses.ts', '{ ...entry, lastVisitAt: null }', 'entry'],
    ],
  },
  {
    what: 'Start does nothing with an app that ended by itself',
    finding: 'C9',
    changes: [['worker/apps/decide.ts', "hosted.state === 'running' && !endedByItself", "hosted.state === 'running'"]],
  },
  {
    what: 'A Redis that does not answer is not left',
    finding: 'C10',
    changes: [
      [
        'protocol/connect.ts',
        "        this.note('away', 'it does not answer');\n        this.reconnect();",
        "        this.note('away', 'it does not answer');",
      ],
    ],
    test: 'integration/redis.faults.test.ts',
  },
  {
    what: 'A Supervisor that does not lead reads all definitions with each wake-up',
    finding: 'C11',
    changes: [
      [
        'supervisor/supervisor.ts',
        'if (this.running) pollSoon();',
        'if (this.running) {\n        pollSoon();\n        void this.running.appCache.load();\n      }',
      ],
    ],
  },
  {
    what: 'A poll of the fleet reads one environment after the other',
    finding: 'C12',
    changes: [['supervisor/fleet/observer.ts', 'new PQueue({ concurrency: READS })', 'new PQueue({ concurrency: 1 })']],
    test: 'unit/observer.test.ts',
  },
  {
    what: 'Each list on a Worker reads the whole fleet',
    finding: 'C13',
    changes: [
      [
        'worker/worker.ts',
        '    return Object.fromEntries(apps.map(([name, { status }]) =>',
        '    void this.options.stores.fleet.poll();\n    return Object.fromEntries(apps.map(([name, { status }]) =>',
      ],
    ],
  },
  {
    what: 'Requests that are open when a Supervisor stops are dropped',
    finding: 'C14',
    changes: [['core/graceful-shutdown.ts', 'if (!this.open.size) return;', 'return;']],
    test: 'unit/graceful-shutdown.test.ts',
  },
  {
    what: 'An app index that another Supervisor or an older copy replaced is taken for complete',
    finding: 'C15',
    changes: [
      [
        'protocol/published.ts',
        'if (left && !isDoubted && (await store.mark()) === left.mark) return null;',
        'if (left) return null;',
      ],
    ],
  },
  {
    what: 'The app index is written over a count that its writer did not leave',
    changes: [['protocol/stores/memory/published.ts', 'if (from !== this.head) return null;', '']],
    test: 'unit/stores.test.ts',
  },
  {
    what: 'The app index is restored with a count that had another content',
    changes: [['protocol/published.ts', '    // Until it is known what was written.\n    this.left = null;\n', '']],
    test: 'unit/app-index.test.ts',
  },
  {
    what: 'The count of the app index goes back with the store',
    changes: [
      [
        'protocol/published.ts',
        'isAfter(this.count, count) ? { mark, count: this.count, changes: [] } : { mark, count, changes }',
        '{ mark, count, changes }',
      ],
    ],
    test: 'unit/app-index.test.ts',
  },
  {
    what: 'An older copy of the app index is read',
    changes: [
      ['protocol/stores/memory/published.ts', 'if (since && !isAfter(count, since)) return null;', ''],
      [
        'protocol/app-index.ts',
        'if (!found || (this.count && !isAfter(found.count, this.count))) return false;',
        'if (!found) return false;',
      ],
    ],
    test: 'unit/app-index.test.ts',
  },
  {
    what: 'The app index is not compared while its count is right',
    changes: [['protocol/published.ts', 'if (left && !isDoubted && ', 'if (left && ']],
    test: 'unit/app-index.test.ts',
  },
  {
    what: 'Icons travel in the records of apps',
    finding: 'C16',
    changes: [['supervisor/rollout/record.ts', '    icon: null,\n', '']],
    test: 'unit/record.test.ts',
  },
  {
    what: 'Time alone pushes no change',
    finding: 'C17',
    changes: [
      [
        'supervisor/fleet/observer.ts',
        'if (health === undefined || !this.reports.take(name, health, this.clock.now().mono)) continue;',
        'if (health === undefined || !this.reports.take(name, health, this.clock.now().mono) || environments.size === 0) continue;',
      ],
    ],
  },
  {
    what: 'The last visits are not written',
    finding: 'C18',
    changes: [['worker/apps/snapshot-writes.ts', 'apps.lastVisitAt(name) !== saved.lastVisitAt', 'false']],
  },
  {
    what: 'A start of an app without an environment succeeds',
    finding: 'C19',
    changes: [['supervisor/requests/service.ts', "if (action !== 'stop') assertSomewhere(app);", '']],
  },
  {
    what: 'A refused connection is no evidence',
    changes: [
      ['supervisor/supervisor.ts', 'if (this.running?.reach.doubt(environment)) this', 'if (false as boolean) this'],
    ],
  },
  {
    what: 'A refused connection is known to one Supervisor alone',
    changes: [['supervisor/supervisor.ts', 'for (const name of names) running.reach.doubt(name);', 'void names;']],
  },
  {
    what: 'Pages are not told that another Supervisor forgot an environment',
    changes: [
      ['supervisor/fleet/environment-cache.ts', 'if (this.shown() !== shown) this.changes.emit();', 'void shown;'],
    ],
  },
  {
    what: 'An app that failed is not tried again',
    changes: [['worker/apps/decide.ts', 'return failures >= MAX_FAILURES ? null :', 'return failures >= 1 ? null :']],
  },
  {
    what: 'A Worker takes an older record over',
    changes: [['worker/apps/by-cache.ts', 'known.record.generation > received.generation', '(false as boolean)']],
  },
  {
    what: 'A Worker takes the absence of a record for a wish',
    changes: [
      [
        'worker/apps/controller.ts',
        "held.record.desired === 'removed' && held.status === 'not_found' && !present.has(name)",
        '!present.has(name)',
      ],
    ],
  },
  {
    what: 'A Worker that is silent is down after 30 beats',
    changes: [
      [
        'protocol/health.ts',
        "if (age >= expiryOf(interval)) return { health: 'down'",
        "if (age >= 10 * expiryOf(interval)) return { health: 'down'",
      ],
    ],
  },
  {
    what: 'Every delete drops the data',
    changes: [
      [
        'supervisor/requests/service.ts',
        "database === 'drop' ? 'drop' : 'release'",
        "database === 'drop' ? 'drop' : 'drop'",
      ],
    ],
  },
  {
    what: 'Data are dropped before all environments have let go',
    changes: [
      [
        'supervisor/rollout/deletion.ts',
        "if (ending.environments.length || ending.data === 'keep' || isDataAsked) return {};",
        "if (ending.data === 'keep' || isDataAsked) return {};",
      ],
    ],
  },
  {
    what: 'A request about one environment forgets what was asked for in the others',
    changes: [
      [
        'supervisor/rollout/spec.ts',
        'return { placements: { ...app.placements, ...asked }, ...(only ?',
        'return { placements: asked, ...(only ?',
      ],
    ],
    test: 'unit/plan.test.ts',
  },
  {
    what: 'What Redis lost is not written again',
    changes: [
      [
        'supervisor/control/record-reconciler.ts',
        '(await records.mark(environment)) !== left.mark',
        '(false as boolean)',
      ],
    ],
  },
  {
    what: 'Records are written over a count that their writer did not leave',
    changes: [['protocol/stores/memory/records.ts', "if (from !== (stored?.mark ?? '')) return null;", '']],
    test: 'unit/stores.test.ts',
  },
  {
    what: 'A leader knows what is there after a write that failed',
    changes: [
      [
        'supervisor/control/record-reconciler.ts',
        '        this.left.delete(environment);\n        throw error;',
        '        throw error;',
      ],
      [
        'supervisor/control/record-reconciler.ts',
        '(await records.mark(environment)) !== left.mark',
        '(false as boolean)',
      ],
    ],
    test: 'unit/record-reconciler.test.ts',
  },
  {
    what: 'A new leader goes by what it knew when it led before',
    changes: [['supervisor/control/record-reconciler.ts', '    this.left.clear();\n', '']],
    test: 'unit/record-reconciler.test.ts',
  },
  {
    what: 'Changed definitions are not written while the count is right',
    changes: [
      [
        'supervisor/control/record-reconciler.ts',
        'for (const name of names) stale?.add(name);',
        'for (const _ of names) stale?.clear();',
      ],
    ],
    test: 'unit/record-reconciler.test.ts',
  },
  {
    what: 'An environment that an app has left keeps its record',
    changes: [['supervisor/rollout/deletion.ts', 'if (!withdraw.length) return null;', 'if (withdraw) return null;']],
  },
  {
    what: 'A pass writes what follows from a spec that has changed meanwhile',
    changes: [['supervisor/definitions/repository.ts', 'return changed > 0;', 'return true;']],
    test: 'integration/repositories.test.ts',
  },
  {
    what: 'What a read finds of definitions that began before a change replaces it',
    changes: [
      ['supervisor/definitions/app-cache.ts', 'new PQueue({ concurrency: 1 })', 'new PQueue({ concurrency: 2 })'],
    ],
    test: 'unit/app-cache.test.ts',
  },
  {
    what: 'What a read finds of operations that began before a change replaces it',
    changes: [
      ['supervisor/definitions/operation-store.ts', 'new PQueue({ concurrency: 1 })', 'new PQueue({ concurrency: 2 })'],
    ],
    test: 'unit/operation-cache.test.ts',
  },
  {
    what: 'Two removals at once write the header of a snapshot at once',
    changes: [['worker/apps/floor.ts', 'return this.writes.add(() => this.saveNow());', 'return this.saveNow();']],
    test: 'unit/floor.test.ts',
  },
  {
    what: 'A Supervisor that has not heard that an environment was forgotten changes it',
    changes: [
      [
        'supervisor/fleet/environment-cache.ts',
        "if (!isChanged) throw new AppSupervisorError('UNKNOWN_ENVIRONMENT', { environment: name });",
        '',
      ],
    ],
    test: 'unit/proxy-address.test.ts',
  },
  {
    what: 'Records are written for an environment that nobody has admitted',
    changes: [
      [
        'supervisor/control/record-reconciler.ts',
        'if (!environmentCache.isAdmitted(environment)) return null;',
        'void environmentCache;',
      ],
    ],
    test: 'unit/record-reconciler.test.ts',
  },
  {
    what: 'Records are published whatever the floor of their environment',
    changes: [['supervisor/control/record-reconciler.ts', 'if (isRemoved) {', 'if (false as boolean) {']],
    test: 'unit/record-reconciler.test.ts',
  },
  {
    what: 'A new leader acts before it has read what another one did',
    changes: [['supervisor/control/loop.ts', 'if (!this.isCurrent && key !== FLEET) return null;', '']],
    test: 'unit/control.test.ts',
  },
  {
    what: 'Redis takes the writes of a leader in whatever term',
    changes: [['protocol/stores/memory/term.ts', 'if (term < this.newest) throw new StaleTerm(this.newest);', '']],
  },
  {
    what: 'What the control loop itself asks for is written in no term',
    changes: [['supervisor/requests/changes.ts', 'if (asLeader) await leadership.holdTerm(transaction);', '']],
    test: 'unit/simulation.test.ts',
  },
  {
    what: 'What a cancelled move has copied ahead is kept',
    changes: [
      [
        'supervisor/rollout/plan.ts',
        'return !waits || isAhead(app.published[environment]);',
        'return !waits && !isAhead(app.published[environment]);',
      ],
    ],
  },
  {
    what: 'An app that comes stopped while it is copied ahead is never said to be',
    changes: [['worker/apps/uploads.ts', "  held.state = 'absent';\n", '']],
  },
  {
    what: 'An operation waits for an environment that was forgotten',
    changes: [
      [
        'supervisor/control/forgetting.ts',
        'const change = app?.uid === uid ? forgotten(app, environment) : null;',
        'const change = null as ReturnType<typeof forgotten>;',
      ],
    ],
  },
  {
    what: 'An environment from which an app is removed gets its secrets',
    changes: [['supervisor/rollout/record.ts', "if (wish.desired === 'removed') return removalOf(app, wish);", '']],
  },
  {
    what: 'An environment to which uploads are copied ahead gets the secrets of the app',
    changes: [['supervisor/rollout/record.ts', 'const isPlaced = !isAhead(wish);', 'const isPlaced = true;']],
  },
  {
    what: 'A Worker that knows more than a restored database is not overtaken',
    finding: 'plan',
    changes: [['supervisor/rollout/plan.ts', '\n  above,\n', '\n']],
    test: 'unit/plan.test.ts',
  },
  {
    what: 'An app stays where nobody wants it',
    finding: 'plan',
    changes: [['supervisor/rollout/plan.ts', '\n  stray,\n', '\n']],
    test: 'unit/plan.test.ts',
  },
  {
    what: 'An app that has its database may make another one',
    finding: 'plan',
    changes: [['supervisor/rollout/plan.ts', '\n  firstRun,\n', '\n']],
  },
  {
    what: 'What has confirmed its end is waited for',
    finding: 'plan',
    changes: [['supervisor/rollout/plan.ts', '\n  confirmed,\n', '\n']],
  },
  {
    what: 'A deleted app is left alone',
    finding: 'plan',
    changes: [['supervisor/rollout/plan.ts', '\n  deleted,\n', '\n']],
  },
  {
    what: 'New settings and stops are not published',
    finding: 'plan',
    changes: [['supervisor/rollout/plan.ts', '\n  rest,\n', '\n']],
  },
  {
    what: 'An app does not leave',
    finding: 'plan',
    changes: [['supervisor/rollout/plan.ts', '\n  leave,\n', '\n']],
  },
  {
    what: 'A copy ahead never begins nor ends',
    finding: 'plan',
    changes: [['supervisor/rollout/plan.ts', '\n  copyAhead,\n', '\n']],
  },
  {
    what: 'A boot that fails has no consequence',
    finding: 'plan',
    changes: [['supervisor/rollout/plan.ts', '\n  failed,\n', '\n']],
  },
  {
    what: 'Nothing is started',
    finding: 'plan',
    changes: [['supervisor/rollout/plan.ts', '\n  boot,\n', '\n']],
  },
  {
    what: 'Records name the hosts of before',
    finding: 'plan',
    changes: [['supervisor/rollout/plan.ts', '\n  hosts,\n', '\n']],
    test: 'unit/plan.test.ts',
  },
  {
    what: 'What runs without the plugins that it has elsewhere is not restarted',
    finding: 'plan',
    changes: [['supervisor/rollout/plan.ts', '\n  stale,\n', '\n']],
    test: 'unit/plan.test.ts',
  },
  {
    what: 'An app boots in all its environments at once',
    finding: 'plan',
    changes: [
      [
        'supervisor/rollout/boots.ts',
        'sight.places.some((environment) => isBooting(sight, environment))) return null;\n  const next',
        'false) return null;\n  const next',
      ],
    ],
    test: 'unit/plan.test.ts',
  },
  {
    what: 'A boot that failed is followed by the next one',
    finding: 'plan',
    changes: [
      [
        'supervisor/rollout/boots.ts',
        'startsBoot(app, environment) && mayBoot(environment)',
        'startsBoot(app, environment)',
      ],
    ],
    test: 'unit/plan.test.ts',
  },
  {
    what: 'An environment that an app has left keeps the password of its role',
    changes: [
      ['supervisor/rollout/spec.ts', 'return isKnown && hasOwnRole(app)', 'return !isKnown && hasOwnRole(app)'],
    ],
  },
  {
    what: 'A role gets its password before all places of the app know it',
    changes: [
      [
        'supervisor/rollout/work.ts',
        '  if (!places.every((name) => name === next || sight.see(name).isReported)) return null;\n',
        '',
      ],
    ],
  },
  {
    what: 'No app fails over',
    finding: 'oracle',
    changes: [
      [
        'supervisor/rollout/failover-candidates.ts',
        "return failover === 'automatic' && isThere",
        'return false && isThere',
      ],
    ],
  },
  {
    what: 'No app returns by itself',
    finding: 'oracle',
    changes: [
      [
        'supervisor/rollout/failover-candidates.ts',
        "return isAway && failback === 'automatic'",
        'return false && isAway',
      ],
    ],
  },
  {
    what: 'A failover forgets where the app was at home',
    finding: 'oracle',
    changes: [['supervisor/rollout/failover-candidates.ts', "cause === 'failover' ? (home ?? source) : null", 'null']],
  },
  {
    what: 'A failover takes an app from a Worker that has lost Redis alone',
    finding: 'oracle',
    changes: [
      ['supervisor/placement/failovers.ts', 'if (await this.isServing(environment)) {', 'if (false as boolean) {'],
    ],
  },
  {
    what: 'An operation is retried that a newer one has superseded',
    finding: 'oracle',
    changes: [
      [
        'supervisor/requests/operation-requests.ts',
        'if ((await this.options.operations.newestGeneration({ appUid }, transaction)) > generation)',
        'if (false as boolean)',
      ],
    ],
  },
  {
    what: 'A move that fails is not undone',
    finding: 'oracle',
    changes: [['supervisor/rollout/boots.ts', 'if (before.every(', 'if (!before && before.every(']],
  },
  {
    what: 'A leader that died is replaced after 90 s',
    finding: 'bound',
    changes: [
      [
        'supervisor/control/leader.ts',
        'interval: LEADER_INTERVAL,\n      expiry,',
        'interval: LEADER_INTERVAL,\n      expiry: expiry ?? 90_000,',
      ],
    ],
  },
  {
    what: 'A leader that ends does not hand over',
    finding: 'bound',
    changes: [
      ['supervisor/supervisor.ts', 'await services.leadership.resign().catch(', 'await Promise.resolve().catch('],
    ],
  },
  {
    what: 'A standby takes over after a minute',
    finding: 'bound',
    changes: [['lease/lease.ts', 'now - since >= expiry)', 'now - since >= 4 * expiry)']],
  },
  {
    what: 'A failover comes 100 s after its delay',
    finding: 'bound',
    changes: [
      [
        'supervisor/rollout/failover-candidates.ts',
        'app.failoverDelay * 1_000 - downFor',
        'app.failoverDelay * 1_000 + 100_000 - downFor',
      ],
    ],
  },
  {
    what: 'Nobody is notified of what is published',
    finding: 'bound',
    changes: [
      [
        'supervisor/control/record-reconciler.ts',
        'this.options.bus.notify({ environment }, unnotified.size > MOST_NAMED ? [] : [...unnotified]);',
        '',
      ],
    ],
  },
  {
    what: 'An app moves without its uploads',
    finding: 'uploads',
    changes: [['supervisor/requests/service.ts', 'return isAlone && isFree', 'return false && isAlone && isFree']],
  },
  {
    what: 'An environment that is cordoned gets apps',
    finding: 'cordon',
    changes: [
      [
        'supervisor/fleet/compatibility-policy.ts',
        'if (environmentCache.get(environment)?.cordoned)',
        'if (environmentCache.get(environment)?.cordoned && !environment)',
      ],
    ],
  },
];
