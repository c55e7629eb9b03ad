import Foundation
import HearthCoordinator
import HearthFleet
import Hummingbird
import HummingbirdTesting
import Support
import Testing

@Suite struct LeaseTests {
    private static let lease = 0.4

    private func store(_ folder: String? = nil) throws -> CoordinatorStore {
        try CoordinatorStore(folder: folder ?? TestPaths.temporaryFolder(), leaseSeconds: Self.lease)
    }

    private func ask(_ node: String, _ store: CoordinatorStore, active: [JobAttempt] = []) async throws -> PollResponse
    {
        try await store.poll(
            node, PollRequest(waitSeconds: 0, capacity: 1 - active.count, spooledReports: 0, active: active))
    }

    /// A job on `node`, the only one that is there.
    private func given(_ node: String, _ policy: JobSpec.OnPartition?, _ store: CoordinatorStore) async throws
        -> JobAttempt
    {
        try await TestService.join(TestService.registration(node, boot: "b-\(node)"), store)
        var spec = JobSpec(kind: .probe, name: "p", device: "cpu")
        spec.onPartition = policy
        let id = try await store.submit(spec, key: nil).id
        let got = try #require(try await ask(node, store).assignments.first)
        #expect(got.job == id)
        return got.id
    }

    private func finish(_ attempt: JobAttempt, on node: String, _ outcome: JobOutcome, _ store: CoordinatorStore)
        async throws
    {
        let report = Report(
            seq: 1, at: 1, body: .jobFinished(job: attempt.job, attempt: attempt.attempt, outcome: outcome))
        _ = try await store.store(ReportBatch(bootID: "b-\(node)", reports: [report]), from: node)
    }

    /// Lets `seconds` pass in which only `nodes` are heard from.
    private func wait(_ seconds: Double, hearing nodes: [String], _ store: CoordinatorStore) async throws -> [String] {
        var returned: [String] = []
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {
            for node in nodes { _ = try await ask(node, store, active: [JobAttempt(job: "none", attempt: 1)]) }
            returned += try await store.expireLeases().returned
            try await Task.sleep(for: .milliseconds(20))
        }
        return returned
    }

    @Test func aJobThatStopsIsGivenToAnotherNode() async throws {
        let store = try store()
        let first = try await given("n1", .stop, store)
        for node in ["n2", "n3"] {
            try await TestService.join(TestService.registration(node, boot: "b-\(node)"), store)
        }
        // Not before the lease is over, and once.
        #expect(try await wait(0.8 * Self.lease, hearing: ["n2", "n3"], store).isEmpty)
        #expect(try await wait(2 * Self.lease, hearing: ["n2", "n3"], store) == [first.job])
        let second = try #require(try await ask("n2", store).assignments.first?.id)
        #expect(second == JobAttempt(job: first.job, attempt: 2))

        // The zombie is told, may publish nothing, and what it says does not count.
        #expect(try await ask("n1", store, active: [first]).revocations == [first])
        await #expect(throws: StoreError.self) { try await store.publish(first, from: "n1") }
        try await finish(first, on: "n1", JobOutcome(exitCode: 0, actualSeconds: 1), store)
        #expect(try await store.job(first.job).state == .assigned)
        // Nor may another node in the right one's name.
        await #expect(throws: StoreError.self) { try await store.publish(second, from: "n1") }
        try await store.publish(second, from: "n2")
        try await store.publish(second, from: "n2")
        // What is being published is not given away any more.
        #expect(try await wait(2 * Self.lease, hearing: ["n1", "n3"], store).isEmpty)
        try await finish(second, on: "n2", JobOutcome(exitCode: 0, actualSeconds: 1), store)
        #expect(try await store.job(first.job).state == .succeeded)
        let leaves = try await store.leaves(from: 0, limit: 10).map { String(decoding: $0, as: UTF8.self) }
        #expect(leaves.count == 5 && leaves[2].contains(#""kind":"returned""#) && leaves[2].contains(#""node":"n1""#))
    }

    @Test func aJobThatKeepsWaitsForItsNode() async throws {
        let store = try store()
        let first = try await given("n1", nil, store)
        try await TestService.join(TestService.registration("n2"), store)
        #expect(try await wait(3 * Self.lease, hearing: ["n2"], store).isEmpty)
        #expect(try await ask("n1", store, active: [first]).revocations == [])
        // Until somebody says that it is lost.
        #expect(try await store.lose("n1") == [first.job])
        #expect(try await ask("n2", store).assignments.first?.attempt == 2)
        #expect(try await ask("n1", store, active: [first]).revocations == [first])
        await #expect(throws: StoreError.self) { try await store.lose("n9") }
    }

    /// Thirty nodes of a hundred fall silent together: it is the network, and nobody's job is ended; then one more dies for good.
    @Test func manyAtOnceAreNoDeaths() async throws {
        let store = try store()
        var given: [JobAttempt] = []
        for node in 1...100 {
            given.append(try await self.given("n\(node)", node <= 40 ? .stop : .keep, store))
        }
        func active(_ nodes: ClosedRange<Int>) -> [(String, JobAttempt)] { nodes.map { ("n\($0)", given[$0 - 1]) } }
        var heldBack: String?
        func pass(_ leases: Double, _ nodes: ClosedRange<Int>) async throws -> [String] {
            var returned: [String] = []
            let end = ContinuousClock.now + .seconds(leases * Self.lease)
            while ContinuousClock.now < end {
                for (node, attempt) in active(nodes) { _ = try await ask(node, store, active: [attempt]) }
                let round = try await store.expireLeases()
                returned += round.returned
                heldBack = round.heldBack ?? heldBack
            }
            return returned
        }
        #expect(try await pass(6, 31...100).isEmpty)
        #expect(heldBack == "30 of 100 nodes fell silent together")
        // They come back with what they had, and it is theirs.
        for (node, attempt) in active(1...30) {
            #expect(try await ask(node, store, active: [attempt]).revocations == [])
        }
        #expect(try await pass(0.5, 1...100).isEmpty)
        #expect(try await pass(6, 2...100) == [given[0].job])
    }

    /// Nodes that were switched off long before do not keep a dead one from being found dead.
    @Test func thoseLongGoneDoNotCount() async throws {
        let store = try store()
        for node in ["old1", "old2", "old3"] { try await TestService.join(TestService.registration(node), store) }
        _ = try await wait(4 * Self.lease, hearing: [], store)
        let first = try await given("n1", .stop, store)
        try await TestService.join(TestService.registration("n2"), store)
        #expect(try await wait(3 * Self.lease, hearing: ["n2"], store) == [first.job])
    }

    /// What was before the coordinator's start says nothing of who is gone.
    @Test func nobodyIsLostRightAfterAStart() async throws {
        let folder = try TestPaths.temporaryFolder()
        let first = try await given("n1", .stop, try store(folder))
        try await Task.sleep(for: .seconds(3 * Self.lease))
        let restarted = try store(folder)
        #expect(try await restarted.expireLeases().returned.isEmpty)
        #expect(try await wait(0.5 * Self.lease, hearing: [], restarted).isEmpty)
        #expect(try await wait(2 * Self.lease, hearing: [], restarted) == [first.job])
    }

    /// It noticed first, and says so when it is heard again.
    @Test func whatEndedForItsLeaseIsQueuedAgain() async throws {
        let store = try store()
        let first = try await given("n1", .stop, store)
        var outcome = JobOutcome(exitCode: 75, message: "its lease ran out", actualSeconds: 1)
        outcome.lostLease = true
        try await finish(first, on: "n1", outcome, store)
        let job = try await store.job(first.job)
        #expect(job.state == .queued && job.attempt == 2 && job.node == nil)
    }

    @Test func anOlderCoordinatorIsNotAnswered() async throws {
        let service = try TestService()
        try await service.store.beginEpoch()
        let first = service.store.epoch
        try await service.store.beginEpoch()
        #expect(service.store.epoch > first)
        try await service.application.test(.router) { client in
            let own = service.store.epoch
            func nodes(_ epoch: String?) async throws -> TestResponse {
                var headers = service.auth
                headers[.init(CoordinatorEpoch.header)!] = epoch
                return try await client.execute(uri: "/v1/nodes", method: .get, headers: headers)
            }
            for epoch in [nil, "0", "\(own)", "x"] {
                let answer = try await nodes(epoch)
                #expect(answer.status == .ok && answer.headers[.init(CoordinatorEpoch.header)!] == "\(own)")
            }
            let refused = try await nodes("\(own + 1)")
            #expect(refused.status == .misdirectedRequest)
            #expect(String(buffer: refused.body).contains("a later coordinator has taken over"))
        }
    }
}
