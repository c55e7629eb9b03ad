import Foundation
import HearthCoordinator
import HearthFleet
import HummingbirdTesting
import NIOCore
import Support
import Testing

@Suite struct LoadTests {
    private let day = 86400.0

    /// Four days at two samples a minute become hours, minutes and samples; what they say of the whole stays.
    @Test func oldOnesBecomeCoarserAndKeepTheirWhole() async throws {
        let service = try TestService()
        _ = try await service.store.register(TestService.registration("n1"))
        let now = (Date().timeIntervalSince1970 / 3600).rounded(.down) * 3600
        let samples = stride(from: now - 4 * day, to: now, by: 30).map { at in
            LoadSample(at: at + 30, seconds: 30, values: ["cpu_busy_ratio": Double(Int(at) % 7) / 7])
        }
        for first in stride(from: 0, to: samples.count, by: 1000) {
            let batch = LoadBatch(samples: Array(samples[first..<min(first + 1000, samples.count)]))
            try await service.store.store(batch, from: "n1")
            // An answer that was lost: the same once more.
            try await service.store.store(batch, from: "n1")
        }
        func kept() async throws -> [LoadSample] {
            try await service.store.loads(of: "n1", since: 0, everySeconds: 1)
        }
        #expect(try await kept() == samples)
        let gone = try await service.store.retain(seconds: 90 * day, now: now).loads
        let after = try await kept()
        #expect(gone == samples.count - after.count)
        // A day of hours, two days and eighteen hours of minutes, six hours as they came.
        #expect(after.filter { $0.seconds == 3600 }.count == 24)
        #expect(after.filter { $0.seconds == 60 }.count == 66 * 60)
        #expect(after.filter { $0.seconds == 30 }.count == 6 * 120)
        let (before, then) = (try #require(LoadSample.merged(samples)), try #require(LoadSample.merged(after)))
        let (a, b) = (before.values["cpu_busy_ratio"]!, then.values["cpu_busy_ratio"]!)
        #expect(before.seconds == then.seconds && abs(a.mean - b.mean) < 1e-9 && a.least == b.least && a.most == b.most)
        // Once more changes nothing; what is older than is kept goes.
        #expect(try await service.store.retain(seconds: 90 * day, now: now).loads == 0)
        _ = try await service.store.retain(seconds: day, now: now)
        #expect(try await kept().allSatisfy { $0.at >= now - day })
    }

    @Test func whatCannotBeIsNotKept() async throws {
        let service = try TestService()
        _ = try await service.store.register(TestService.registration("n1"))
        let now = Date().timeIntervalSince1970
        let good = LoadSample(at: now - 5, seconds: 5, values: ["cpu_busy_ratio": 0.5])
        let future = LoadSample(at: now + 1e6, seconds: 5, values: ["cpu_busy_ratio": 0.5])
        let script = LoadSample(at: now - 9, seconds: 5, values: ["<script>": 0.5])
        try await service.store.store(LoadBatch(samples: [script, good, future]), from: "n1")
        #expect(try await service.store.loads(of: "n1", since: 0, everySeconds: 1) == [good])
        await #expect(throws: StoreError.self) {
            try await service.store.store(LoadBatch(samples: [good]), from: "stranger")
        }
        try await service.application.test(.router) { client in
            func expect(_ code: Int, _ uri: String, _ body: String? = nil) async throws {
                let response = try await client.execute(
                    uri: uri, method: body == nil ? .get : .post, headers: service.auth,
                    body: body.map { ByteBuffer(string: $0) })
                #expect(response.status.code == code, "\(uri) \(String(buffer: response.body))")
            }
            try await expect(200, "/v1/nodes/n1/loads?hours=1")
            for hours in ["0", "x", "-1", "1e9", "nan"] {
                try await expect(400, "/v1/nodes/n1/loads?hours=\(hours)")
                try await expect(400, "/nodes/n1?hours=\(hours)")
            }
            try await expect(404, "/v1/nodes/none/loads")
            try await expect(400, "/v1/nodes/n1/loads", #"{"samples":[{"at":1}]}"#)
            try await expect(400, "/v1/nodes/n1/loads", #"{"samples":[{"at":1e999,"seconds":1,"values":{}}]}"#)
            let many = #"{"at":1,"seconds":1,"values":{}}"#
            let body = #"{"samples":["# + [String](repeating: many, count: 1001).joined(separator: ",") + "]}"
            try await expect(400, "/v1/nodes/n1/loads", body)
        }
    }
}
