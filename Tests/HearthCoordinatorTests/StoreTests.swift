import Foundation
import HearthCoordinator
import HearthFleet
import Support
import Testing

@Suite struct StoreTests {
    private func report(_ seq: Int64, _ body: ReportBody) -> Report { Report(seq: seq, at: 1, body: body) }

    private func store() throws -> CoordinatorStore { try TestService().store }

    private func submitted(_ store: CoordinatorStore) async throws -> String {
        let spec = JobSpec(kind: .probe, name: "p", device: "cpu")
        _ = try await store.register(TestService.registration("n1"))
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
        #expect(try await store.reportCount() == 3)
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
        let answer = try await store.poll("n1", PollRequest(waitSeconds: 0, capacity: 1, spooledReports: 0))
        #expect(answer.assignments.isEmpty)
        #expect(try await store.job(id).waitingFor == "no connected node has device vulkan:9")
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
