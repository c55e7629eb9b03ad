import Foundation
import HearthCoordinator
import HearthFleet
import HummingbirdTesting
import NIOCore
import Support
import Testing

@Suite struct BarTests {
    /// Without certificates: whoever comes under the name is refused until an operator says otherwise, across restarts.
    @Test func nothingOfABarredNodeCounts() async throws {
        let service = try TestService()
        let store = service.store
        try await TestService.join(TestService.registration("n1"), store)
        try await TestService.join(TestService.registration("n2"), store)
        let id = try await store.submit(JobSpec(kind: .probe, name: "p", device: "cpu"), key: nil).id
        let poll = PollRequest(waitSeconds: 0, capacity: 1, spooledReports: 0)
        let first = try await store.poll("n1", poll).assignments.isEmpty ? "n2" : "n1"
        if first == "n2" { #expect(try await store.poll("n2", poll).assignments.count == 1) }
        let other = first == "n1" ? "n2" : "n1"

        func refused(_ store: CoordinatorStore, _ expected: Bool) async throws {
            try await service.application(over: store).test(.router) { client in
                for (path, body) in [
                    ("/v1/nodes", try JSONEncoder().encode(TestService.registration(first))),
                    ("/v1/nodes/\(first)/poll", try JSONEncoder().encode(poll)),
                    ("/v1/nodes/\(first)/reports", try JSONEncoder().encode(ReportBatch(bootID: "b1", reports: []))),
                    ("/v1/nodes/\(first)/loads", try JSONEncoder().encode(LoadBatch(samples: []))),
                ] {
                    let answer = try await client.execute(
                        uri: path, method: .post, headers: service.auth, body: ByteBuffer(data: body))
                    #expect((answer.status.code == 403) == expected, "\(path): \(answer.status)")
                    if expected { #expect(String(buffer: answer.body).contains("\(first) is barred: stolen")) }
                }
                // Others are not meant.
                let fine = try await client.execute(
                    uri: "/v1/nodes/\(other)/reports", method: .post, headers: service.auth,
                    body: ByteBuffer(data: try JSONEncoder().encode(ReportBatch(bootID: "b1", reports: []))))
                #expect(fine.status.code == 200)
            }
        }
        #expect(try await store.bar(first, "stolen") == [id])
        #expect(try await store.nodes().first { $0.node == first }?.barred == "stolen")
        try await refused(store, true)
        // What it had is another's.
        #expect(try await store.poll(other, poll).assignments.map(\.job) == [id])
        try await refused(try CoordinatorStore(folder: service.folder), true)

        try await store.unbar(first)
        try await refused(store, false)
        #expect(try await store.nodes().allSatisfy { $0.barred == nil })
        await #expect(throws: StoreError.self) { try await store.unbar(first) }
        await #expect(throws: StoreError.self) { _ = try await store.bar("stranger", "stolen") }
    }
}
