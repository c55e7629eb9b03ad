import Foundation
import HearthCoordinator
import HearthFleet
import Support
import Testing

@Suite struct GroupCommitTests {
    private func batch(_ seqs: ClosedRange<Int64>, _ body: ReportBody = .health(state: .healthy, evidence: nil))
        -> ReportBatch
    {
        ReportBatch(bootID: "b", reports: seqs.map { Report(seq: $0, at: 1, body: body) })
    }

    /// Batches of many nodes at once, some of which nobody knows: each is stored whole or refused, and no answer is another's.
    @Test func eachBatchIsItsOwn() async throws {
        let store = try CoordinatorStore(folder: try TestPaths.temporaryFolder())
        for node in 0..<40 where node % 4 != 3 {
            _ = try await store.register(TestService.registration("n\(node)", boot: "b"))
        }
        let refused = try await withThrowingTaskGroup(of: Bool.self) { group in
            for node in 0..<40 {
                group.addTask {
                    let last = Int64(node + 1)
                    do {
                        let ack = try await store.store(batch(1...last), from: "n\(node)")
                        #expect(ack.watermark == last && node % 4 != 3)
                        return false
                    } catch is StoreError {
                        #expect(node % 4 == 3)
                        return true
                    }
                }
            }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(refused == 10)
        let stored = (0..<40).filter { $0 % 4 != 3 }.reduce(0) { $0 + $1 + 1 }
        #expect(try await store.reportCount() == stored)
    }

    /// More than a transaction takes at once, and larger than one.
    @Test func largeOnesGoToo() async throws {
        let store = try CoordinatorStore(folder: try TestPaths.temporaryFolder())
        for node in ["a", "b", "c"] { _ = try await store.register(TestService.registration(node, boot: "b")) }
        try await withThrowingTaskGroup(of: Int64.self) { group in
            for (node, count) in [("a", Int64(9000)), ("b", 4000), ("c", 3000)] {
                group.addTask { try await store.store(batch(1...count), from: node).watermark }
            }
            var acks: [Int64] = []
            for try await ack in group { acks.append(ack) }
            #expect(acks.sorted() == [3000, 4000, 9000])
        }
        #expect(try await store.reportCount() == 16000)
    }
}
