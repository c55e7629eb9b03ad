import Foundation
import GRDB
import HearthCoordinator
import HearthFleet
import HearthPolicy
import HearthRoofline
import Support
import Testing

@Suite struct StoreTests {
    private func report(_ seq: Int64, _ body: ReportBody) -> Report { Report(seq: seq, at: 1, body: body) }

    private func store() throws -> CoordinatorStore { try TestService().store }

    private func submitted(_ store: CoordinatorStore) async throws -> String {
        let spec = JobSpec(kind: .probe, name: "p", device: "cpu")
        try await TestService.join(TestService.registration("n1"), store)
        let id = try await store.submit(spec, key: nil).id
        _ = try await store.poll("n1", PollRequest(waitSeconds: 0, capacity: 1, spooledReports: 0))
        return id
    }

    @Test func aReportCountsOnceHoweverOftenItIsSent() async throws {
        let store = try store()
        let id = try await submitted(store)
        let batch = ReportBatch(
            bootID: "b1",
            reports: [
                report(1, .jobStarted(job: id, attempt: 1)),
                report(2, .jobLog(job: id, attempt: 1, offset: 0, text: "ab")),
                report(3, .jobLog(job: id, attempt: 1, offset: 2, text: "c")),
            ])
        for _ in 0..<3 { #expect(try await store.store(batch, from: "n1").watermark == 3) }
        // And the one that says that the node was measured.
        #expect(try await store.reportCount() == 3 + 1)
        #expect(try await store.log(id, from: 0).text == "abc")
        #expect(try await store.log(id, from: 1).text == "bc")
    }

    @Test func lateAndForeignOutcomesChangeNothing() async throws {
        let store = try store()
        let id = try await submitted(store)
        _ = try await store.register(TestService.registration("n2", boot: "b2"))
        let failed = JobOutcome(exitCode: 1, actualSeconds: 1)
        _ = try await store.store(
            ReportBatch(bootID: "b2", reports: [report(1, .jobFinished(job: id, attempt: 1, outcome: failed))]),
            from: "n2")
        #expect(try await store.job(id).state == .assigned)
        let good = JobOutcome(exitCode: 0, actualSeconds: 1)
        _ = try await store.store(
            ReportBatch(
                bootID: "b1",
                reports: [
                    report(1, .jobFinished(job: id, attempt: 2, outcome: failed)),
                    report(2, .jobFinished(job: id, attempt: 1, outcome: good)),
                    report(3, .jobFinished(job: id, attempt: 1, outcome: failed)),
                ]), from: "n1")
        let job = try await store.job(id)
        #expect(job.state == .succeeded && job.outcome?.exitCode == 0)
    }

    @Test func sameKeyGivesTheSameJob() async throws {
        let store = try store()
        let spec = JobSpec(kind: .probe, name: "p")
        let first = try await store.submit(spec, key: "k").id
        #expect(try await store.submit(spec, key: "k").id == first)
        await #expect(throws: StoreError.self) { try await store.submit(JobSpec(kind: .bench, name: "p"), key: "k") }
        #expect(try await store.jobs().count == 1)
    }

    @Test func jobsWaitForADeviceAndSayWhy() async throws {
        let store = try store()
        let id = try await store.submit(JobSpec(kind: .probe, name: "p", device: "vulkan:9"), key: nil).id
        #expect(try await store.job(id).waitingFor == "no node is connected")
        _ = try await store.register(TestService.registration("n1"))
        #expect(try await store.job(id).waitingFor == "no node may take it: n1 has not been measured yet")
        try await TestService.join(TestService.registration("n1"), store)
        let answer = try await store.poll("n1", PollRequest(waitSeconds: 0, capacity: 1, spooledReports: 0))
        #expect(answer.assignments.isEmpty)
        #expect(try await store.job(id).waitingFor == "no node may take it: n1 has no device vulkan:9")
        #expect(try await store.cancel(id).state == .cancelled)
    }

    @Test func aNodeThatLostItsStateFailsItsRunningJobs() async throws {
        let store = try store()
        let id = try await submitted(store)
        _ = try await store.store(
            ReportBatch(bootID: "b1", reports: [report(1, .jobStarted(job: id, attempt: 1))]), from: "n1")
        _ = try await store.register(TestService.registration("n1", boot: "b9"))
        let job = try await store.job(id)
        #expect(job.state == .failed && job.outcome?.message?.contains("empty state folder") == true)
    }

    /// What kernels took becomes the next prediction, and what the node's hour costs the job's cost.
    @Test func jobsTeachPlacementAndCost() async throws {
        let prices = PriceList(sites: ["hall": SitePrice(perHour: 3600)])
        let store = try CoordinatorStore(folder: try TestPaths.temporaryFolder(), prices: prices)
        let site = Site(name: "hall", kind: .onprem, country: "DE")
        try await TestService.join(
            NodeRegistration(node: "n1", bootID: "b1", version: "1", devices: [TestService.device], site: site), store)
        var spec = JobSpec(kind: .bench, name: "b", device: "cpu")
        let work = KernelWork("k", Cost(flops: 1e9), launches: 2)
        spec.estimate = JobEstimate(kernels: [work])
        var outcome = JobOutcome(exitCode: 0, actualSeconds: 12)
        outcome.device = "cpu"
        outcome.kernels = [KernelTime(work, seconds: 10)]
        _ = try await store.store(
            ReportBatch(bootID: "b1", reports: [report(1, .ceilings(value: TestService.ceilings))]), from: "n1")
        // The lower quartile of the ceiling is 1.5 GFLOP/s: never run there, it is at its roof.
        for (seq, expected) in [(Int64(2), 2 / 1.5), (3, 12)] {
            let id = try await store.submit(spec, key: nil).id
            _ = try await store.poll("n1", PollRequest(waitSeconds: 0, capacity: 1, spooledReports: 0))
            let predicted = try #require(try await store.job(id).predictedSeconds)
            #expect(abs(predicted - expected) < 1e-6, "\(predicted)")
            let ended = [report(seq, .jobFinished(job: id, attempt: 1, outcome: outcome))]
            _ = try await store.store(ReportBatch(bootID: "b1", reports: ended), from: "n1")
            #expect(try await store.job(id).cost == 12)
            #expect(try await store.job(id).outcome?.kernels == nil)
        }
        let leaves = try await store.leaves(from: 0, limit: 100).map { String(decoding: $0, as: UTF8.self) }
        #expect(leaves.contains { $0.contains(#""placement":"is the first of one's own to end it""#) })
        #expect(leaves.contains { $0.contains(#""cost":12"#) })
        await #expect(throws: StoreError.self) { try await store.placement(of: "job-9") }
    }

    /// What a node drew for earlier jobs is what its next ones are priced by; what a job drew is what it cost.
    @Test func measuredPowerPricesJobs() async throws {
        let prices = PriceList(sites: [
            "hall": SitePrice(perHour: 0, watts: 10, perKilowattHour: 3600, wattsPerMeasured: 2)
        ])
        let store = try CoordinatorStore(folder: try TestPaths.temporaryFolder(), prices: prices)
        let site = Site(name: "hall", kind: .onprem, country: "DE")
        try await TestService.join(
            NodeRegistration(node: "n1", bootID: "b1", version: "1", devices: [TestService.device], site: site), store)
        _ = try await store.store(
            ReportBatch(bootID: "b1", reports: [report(1, .ceilings(value: TestService.ceilings))]), from: "n1")
        var spec = JobSpec(kind: .bench, name: "b", device: "cpu")
        let work = KernelWork("k", Cost(flops: 1.5e9))
        spec.estimate = JobEstimate(kernels: [work])
        // A kilowatt-hour at 3600 is 1 for each watt and 1000 seconds: jobs of 600 s at 100, then 200 W, of which twice is drawn.
        for (seq, watts, expected) in [(Int64(2), 100.0, nil), (3, 200, 100), (4, 0, 150)] as [(Int64, Double, Double?)]
        {
            let id = try await store.submit(spec, key: nil).id
            let candidate = try #require(try await store.placement(of: id).candidates.first)
            #expect(candidate.measuredWatts == expected)
            let seconds = try #require(candidate.predicted?.seconds)
            let planned = (expected.map { $0 * 2 } ?? 10) / 1000 * seconds
            #expect(abs((candidate.cost ?? -1) - planned) < 1e-9 * planned, "\(candidate)")
            _ = try await store.poll("n1", PollRequest(waitSeconds: 0, capacity: 1, spooledReports: 0))
            var outcome = JobOutcome(exitCode: 0, actualSeconds: 600)
            (outcome.device, outcome.energyJoules) = ("cpu", watts * 600)
            let ended = [report(seq, .jobFinished(job: id, attempt: 1, outcome: outcome))]
            _ = try await store.store(ReportBatch(bootID: "b1", reports: ended), from: "n1")
            // Counters that did not move measured nothing: then it drew what was planned.
            #expect(abs((try await store.job(id).cost ?? -1) - (watts == 0 ? 150 : watts) * 1.2) < 1e-9)
        }
    }

    @Test func whatIsOldGoesAndWhatIsEvidenceStays() async throws {
        let store = try store()
        let id = try await submitted(store)
        let day = 86400.0
        var reports = [
            report(1, .jobLog(job: id, attempt: 1, offset: 0, text: "ab")),
            report(2, .jobFinished(job: id, attempt: 1, outcome: JobOutcome(exitCode: 0, actualSeconds: 1))),
        ]
        // Two an hour for two hours, a hundred days ago and today.
        for (index, at) in [0, 1800, 3600, 5400, 100 * day, 100 * day + 1800].enumerated() {
            var ceilings = TestService.ceilings
            ceilings.measuredAt = at
            reports.append(report(Int64(3 + index), .ceilings(value: ceilings)))
        }
        let batch = ReportBatch(bootID: "b1", reports: reports)
        _ = try await store.store(batch, from: "n1")
        #expect(
            try await store.retain(seconds: day, now: 100 * day + 7200)
                == .init(reports: 0, logs: 1, ceilings: 3, loads: 0))
        #expect(try await store.ceilingHistory().map(\.ceilings.measuredAt) == [5400, 100 * day, 100 * day + 1800])
        let later = try await store.retain(seconds: day, now: Date().timeIntervalSince1970 + 2 * day)
        #expect(later.reports == 9)
        // Sent again it is still known; the job and its leaves are there.
        #expect(try await store.store(batch, from: "n1").watermark == 8)
        #expect(try await store.reportCount() == 0)
        #expect(try await store.job(id).state == .succeeded)
        #expect(try await store.leaves(from: 0, limit: 10).count == 3)
    }

    @Test func drainedNodesTakeNothingUntilTheyResume() async throws {
        let store = try store()
        try await TestService.join(TestService.registration("n1"), store)
        try await store.drain("n1", "new memory")
        let id = try await store.submit(JobSpec(kind: .probe, name: "p", device: "cpu"), key: nil).id
        let poll = PollRequest(waitSeconds: 0, capacity: 1, spooledReports: 0)
        #expect(try await store.poll("n1", poll).assignments.isEmpty)
        #expect(try await store.job(id).waitingFor == "no node may take it: n1 is drained: new memory")
        // Coming back does not end it; an operator does.
        try await TestService.join(TestService.registration("n1", boot: "b2"), store)
        #expect(try await store.poll("n1", poll).assignments.isEmpty)
        try await store.drain("n1", nil)
        #expect(try await store.poll("n1", poll).assignments.map(\.job) == [id])
        await #expect(throws: StoreError.self) { try await store.drain("n9", "x") }
    }

    @Test func backupsAreWholeOrNone() async throws {
        let service = try TestService()
        try await service.ledger.start()
        for _ in 0..<5 { _ = try await service.store.submit(JobSpec(kind: .probe, name: "p"), key: nil) }
        let target = service.folder + "-backup"
        #expect(try await Backup.make(of: service.folder, in: target) == 5)
        // It goes on meanwhile; the backup is of then.
        _ = try await service.store.submit(JobSpec(kind: .probe, name: "p"), key: nil)
        let restored = service.folder + "-restored"
        #expect(try await Backup.restore(target, to: restored) == 5)
        #expect(try await CoordinatorStore(folder: restored).jobs().count == 5)
        for name in ["ledger.key", "coordinator.sqlite"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: "\(restored)/\(name)")
            #expect(attributes[.posixPermissions] as? Int == 0o600, "\(name)")
        }
        // Nothing is written over, and what a coordinator would not start with is no backup.
        await #expect(throws: ConfigError.self) { try await Backup.make(of: service.folder, in: target) }
        await #expect(throws: ConfigError.self) { try await Backup.restore(target, to: restored) }
        await #expect(throws: ConfigError.self) { try await Backup.make(of: "/nonexistent", in: target + "2") }
        let database = "\(target)/coordinator.sqlite"
        var bytes = try Data(contentsOf: URL(fileURLWithPath: database))
        for at in stride(from: 4096, to: bytes.count, by: 512) { bytes[at] ^= 0x55 }
        try bytes.write(to: URL(fileURLWithPath: database))
        await #expect(throws: ConfigError.self) { try await Backup.restore(target, to: service.folder + "-no") }
        #expect(!FileManager.default.fileExists(atPath: service.folder + "-no"))
        // Leaves that were signed and are not there.
        #expect(try await Backup.make(of: service.folder, in: target + "3") == 6)
        try FileManager.default.removeItem(atPath: "\(target)3/coordinator.sqlite")
        try FileManager.default.copyItem(
            atPath: "\(restored)/coordinator.sqlite", toPath: "\(target)3/coordinator.sqlite")
        await #expect(throws: ConfigError.self) { try await Backup.restore(target + "3", to: service.folder + "-no") }
    }

    @Test func aNewerVersionsDatabaseIsLeftAlone() async throws {
        let folder = try TestPaths.temporaryFolder()
        _ = try CoordinatorStore(folder: folder)
        let database = try DatabaseQueue(path: "\(folder)/coordinator.sqlite")
        try await database.write { try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('v999')") }
        let error = #expect(throws: ConfigError.self) { try CoordinatorStore(folder: folder) }
        #expect(error?.description.contains("newer version") == true)
    }

    @Test func damagedDatabaseIsNamedAndLeftAlone() throws {
        let folder = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/coordinator.sqlite"
        let garbage = Data(repeating: 0x5a, count: 8192)
        try garbage.write(to: URL(fileURLWithPath: path))
        do { _ = try CoordinatorStore(folder: folder) } catch let error as ConfigError {
            #expect(error.description.contains(path) && error.description.contains("damaged"))
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == garbage)
            return
        }
        Issue.record("opened garbage")
    }
}
