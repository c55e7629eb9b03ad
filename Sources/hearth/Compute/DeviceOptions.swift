import ArgumentParser
import Foundation
import HearthBench
import HearthCompute
import HearthRoofline

/// Which device a command runs on.
struct DeviceOptions: ParsableArguments {
    @Option(help: "auto, cpu, vulkan or vulkan:INDEX. Software Vulkan devices are used only when named by index.")
    var device = "auto"

    @Option(help: "Threads of the CPU device; all cores when left out.")
    var threads: Int?

    func validate() throws {
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads \(threads) is not in 1...1024")
        }
    }

    /// The CPU device's threads.
    var cpuThreads: Int { threads ?? ProcessInfo.processInfo.activeProcessorCount }

    func open() throws -> Device { try Device.open(DeviceSelector(device), threadCount: threads) }
}

/// Ceilings as last measured, or measured now when they never were.
func ceilings(of device: Device) throws -> Ceilings {
    if let known = CeilingStore.load(device) { return known }
    let measured = try CeilingProbe(device) { Terminal.progress("measuring \(device.selector) (once): \($0)") }.run()
    Terminal.endProgress()
    try CeilingStore.save(measured, for: device)
    return measured
}
