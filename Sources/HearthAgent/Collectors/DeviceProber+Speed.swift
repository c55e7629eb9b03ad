import Foundation
import HearthFleet
import HearthRoofline
import HearthStore

/// Watching for devices that become slow (fail-slow).
extension DeviceProber {
    /// Checks how fast `device` is, where that is due. A check beside a job is none.
    func checkSpeed(of device: String) async throws {
        let now = ContinuousClock.now
        guard config.checkSpeedSeconds > 0 else { return }
        // The first is due so long after the agent's start, too.
        let last = speedCheckedAt[device, default: now]
        guard now - last >= .seconds(config.checkSpeedSeconds) else {
            speedCheckedAt[device] = last
            return
        }
        speedCheckedAt[device] = now
        do {
            let speed = try await child(
                "speed", ["probe", "--speed", "--json", "--device", device], deadline: config.probeDeadlineSeconds,
                as: DeviceSpeed.self)
            guard try await store.activeJobs().isEmpty else { return }
            logger.debug(
                "speed",
                metadata: [
                    "device": "\(device)", "f32": "\(speed.f32FlopsPerSecond.upperQuartile)",
                    "copy": "\(speed.copyBytesPerSecond.upperQuartile)",
                    "given": "\(speed.coresGiven?.upperQuartile ?? 0)", "others": "\(speed.otherCores ?? 0)",
                ])
            speedChecks[speed.isUndisturbed ? .counted : .disturbed, default: 0] += 1
            try await watch(device) { $0.observe(speed) }
        } catch let problem as ProbeProblem {
            // Whether it is ill, probes find out.
            logger.warning("speed check failed", metadata: ["device": "\(device)", "problem": "\(problem.text)"])
        }
    }

    /// Looks at what the kernels of a job took.
    func jobEnded(_ outcome: JobOutcome) async {
        guard outcome.exitCode == 0, let device = outcome.device, let kernels = outcome.kernels,
            let measured = ceilings.first(where: { $0.device == device }),
            device != "cpu" || (outcome.otherCores ?? 0) <= DeviceSpeed.tolerableCores
        else { return }
        do {
            try await watch(device) { $0.observe(kernels, measured) }
        } catch { logger.error("a job's times are not remembered", metadata: ["error": "\(error)"]) }
    }

    /// What is known of a device's speed, from before the agent was started anew, too.
    func knownSpeed(of device: String) async throws -> SpeedWatch {
        let found = devices?.first { $0.selector == device }
        let identity = SpeedWatch.identity(
            deviceName: found?.name ?? device, driver: found?.driver ?? "", reference: config.speedReference)
        if speeds[device] == nil, let stored = try await store.value("speed \(device)") {
            speeds[device] = try? JSONColumn.decode(SpeedWatch.self, stored)
        }
        if let known = speeds[device], known.identity == identity { return known }
        return SpeedWatch(identity: identity)
    }

    private func watch(_ device: String, _ observe: @Sendable (inout SpeedWatch) -> Void) async throws {
        var watch = try await knownSpeed(of: device)
        let before = watch.slowness
        observe(&watch)
        speeds[device] = watch
        try await store.set("speed \(device)", try JSONColumn.encode(watch))
        guard watch.slowness != before else { return }
        if let slowness = watch.slowness {
            let what = before == nil ? "device is slow" : "other figures of a device are slow"
            logger.notice("\(what)", metadata: ["device": "\(device)", "evidence": "\(slowness)"])
        } else {
            logger.notice("device is as fast as it was", metadata: ["device": "\(device)"])
        }
        try await sayHealth()
    }
}

/// What became of a speed check.
enum SpeedCheckOutcome: String { case counted, disturbed }
