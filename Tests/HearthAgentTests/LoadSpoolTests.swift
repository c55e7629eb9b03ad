import HearthAgent
import HearthFleet
import Support
import Testing

@Suite struct LoadSpoolTests {
    /// A coordinator that is away for long: what waits stays little, becomes coarser from its old end, and its whole stays.
    @Test func whatWaitsBecomesCoarser() async throws {
        let store = try AgentStore(folder: try TestPaths.temporaryFolder())
        let samples = (1...1000).map {
            LoadSample(at: Double($0), seconds: 1, values: ["cpu_busy_ratio": Double($0 % 10) / 10])
        }
        for first in stride(from: 0, to: samples.count, by: 4) {
            try await store.keep(Array(samples[first..<first + 4]), most: 100)
            #expect(try await store.waitingLoads(limit: 1000).count <= 100)
        }
        let waiting = try await store.waitingLoads(limit: 1000)
        #expect(waiting.count > 50 && waiting.suffix(4) == samples.suffix(4) && waiting[0].seconds > 4)
        #expect(waiting.allSatisfy { $0.isPlausible(now: 1000) })
        let (whole, left) = (try #require(LoadSample.merged(samples)), try #require(LoadSample.merged(waiting)))
        #expect(whole.seconds == left.seconds)
        #expect(abs(whole.values["cpu_busy_ratio"]!.mean - left.values["cpu_busy_ratio"]!.mean) < 1e-9)
        // Sent from the old end, and forgotten when they arrived.
        let sent = try await store.waitingLoads(limit: 10)
        try await store.forget(sent)
        #expect(try await store.waitingLoads(limit: 1000) == Array(waiting.dropFirst(10)))
    }

    /// Away for months: what is kept stays what a coordinator takes, and the newest.
    @Test func nothingBecomesTooCoarse() async throws {
        let store = try AgentStore(folder: try TestPaths.temporaryFolder())
        for day in 0..<60 {
            let hours = (1...24).map { LoadSample(at: Double(day * 24 + $0) * 3600, seconds: 3600, values: ["a": 1.0]) }
            try await store.keep(hours, most: 100)
        }
        let waiting = try await store.waitingLoads(limit: 1000)
        #expect(waiting.count == 100 && waiting.allSatisfy { $0.seconds == 3600 })
        #expect(waiting.last?.at == 60 * 86400.0)
    }
}
