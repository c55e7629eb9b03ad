import ArgumentParser
import Foundation
import HearthTelemetry

/// What the agent has do that which may hang.
struct GraphicsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gpus", abstract: "What NVIDIA's driver says of its GPUs, a line of JSON each time.",
        shouldDisplay: false)

    @Option(help: "Seconds between lines; without it, there is one line.") var every: Double?
    @Option(help: "Keep the last line in this file instead, as long as the program lives that started this one.")
    var into: String?

    func validate() throws {
        if let every, !(0.1...3600).contains(every) { throw ValidationError("--every: 0.1 to 3600 seconds") }
    }

    func run() throws {
        // Before the driver is asked: that can take longer than who started this lives.
        let parent = getppid()
        var graphics: NVIDIAGraphics
        do { graphics = try NVIDIAGraphics() } catch { throw CommandFailure(.deviceUnavailable, "\(error)") }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var lostSince: ContinuousClock.Instant?
        while getppid() == parent {
            let metrics = graphics.metrics()
            let isLost = metrics.contains { $0.name == NVIDIAGraphics.lostMetric }
            lostSince = isLost ? lostSince ?? .now : nil
            // The library finds what is back only when it is begun anew: by the next of these.
            if let lostSince, lostSince.duration(to: .now) > .seconds(300) { return }
            let line = try encoder.encode(metrics)
            if let into {
                try line.write(to: URL(fileURLWithPath: into), options: .atomic)
            } else {
                Terminal.out(String(decoding: line, as: UTF8.self))
            }
            guard let every else { return }
            graphics.wait(milliseconds: UInt32(every * 1000))
        }
    }
}
