import Foundation
import HearthFleet
import HearthTelemetry
import Logging
import ServiceLifecycle

/// Says how busy the node is: measured every few seconds, written down and sent four at a time. What the coordinator does not take waits, and becomes coarser
/// the more of it there is.
struct LoadService: Service {
    let store: AgentStore
    let client: CoordinatorClient
    let node: String
    let everySeconds: Double
    let link: CoordinatorLink
    let graphics: GraphicsWatch
    let logger: Logger

    private static let (together, batchSize) = (4, 500)

    func run() async throws {
        guard everySeconds > 0 else { return try await gracefulShutdown() }
        await cancelWhenGracefulShutdown {
            var meter = LoadMeter()
            var samples: [LoadSample] = []
            var lastProblem: String?
            while true {
                do { try await Task.sleep(for: .seconds(everySeconds)) } catch { return }
                let (seconds, values) = meter.read(with: await graphics.metrics)
                samples.append(LoadSample(at: Date().timeIntervalSince1970, seconds: seconds, values: values))
                guard samples.count >= Self.together else { continue }
                do {
                    try await store.keep(samples)
                    samples = []
                    if await link.isRegistered { try await deliver() }
                    lastProblem = nil
                } catch is CancellationError { return } catch {
                    // Not worth more memory than this where the disk is full.
                    samples = []
                    if "\(error)" != lastProblem {
                        logger.warning("how busy the node is cannot be said", metadata: ["problem": "\(error)"])
                    }
                    lastProblem = "\(error)"
                }
            }
        }
    }

    private func deliver() async throws {
        while true {
            let samples = try await store.waitingLoads(limit: Self.batchSize)
            if samples.isEmpty { return }
            try await client.send("POST", "/v1/nodes/\(node)/loads", LoadBatch(samples: samples))
            try await store.forget(samples)
        }
    }
}
