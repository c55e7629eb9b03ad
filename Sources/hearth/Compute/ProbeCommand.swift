import ArgumentParser
import Foundation
import HearthBench
import HearthCompute
import HearthRoofline
import HearthTelemetry

struct ProbeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "probe", abstract: "Measure a device's ceilings and keep them for later reports.")

    @OptionGroup var options: DeviceOptions
    @Flag(help: "Print JSON.") var json = false
    @Flag(help: "Only how fast it is now, in about two seconds; nothing is kept.") var speed = false

    func run() throws {
        let device = try options.open()
        if speed { return try checkSpeed(of: device) }
        let measured = try CeilingProbe(device) { Terminal.progress("\(device.selector): \($0)") }.run()
        Terminal.endProgress()
        try CeilingStore.save(measured, for: device)
        if device.selector == "cpu" {
            try GEMMChoiceProbe(device, threads: options.cpuThreads) { Terminal.progress("cpu: \($0)") }.run()
            Terminal.endProgress()
        }
        if json { return try Terminal.json(measured) }
        Terminal.out("\(measured.device)  \(measured.deviceName)  \(measured.driver)")
        var table = TextTable("CEILING", "MEDIAN", "QUARTILES", "SPREAD")
        func row(_ name: String, _ value: MeasuredValue, _ format: (Double) -> String) {
            table.add(
                name, format(value.median), "\(format(value.lowerQuartile)) ... \(format(value.upperQuartile))",
                Figure.share(value.spread))
        }
        row("f32 multiply-add", measured.f32FlopsPerSecond, Figure.gigaflopsPerSecond)
        if let bf16 = measured.bf16FlopsPerSecond { row("bf16 dot product", bf16, Figure.gigaflopsPerSecond) }
        if let int8 = measured.int8OpsPerSecond { row("int8 dot product", int8, Figure.gigaflopsPerSecond) }
        if let matrix = measured.f16MatrixFlopsPerSecond { row("f16 matrix units", matrix, Figure.gigaflopsPerSecond) }
        row("memory copy", measured.copyBytesPerSecond, Figure.gigabytesPerSecond)
        row("memory read", measured.readBytesPerSecond, Figure.gigabytesPerSecond)
        row("memory triad", measured.triadBytesPerSecond, Figure.gigabytesPerSecond)
        row("host to device", measured.hostToDeviceBytesPerSecond, Figure.gigabytesPerSecond)
        row("device to host", measured.deviceToHostBytesPerSecond, Figure.gigabytesPerSecond)
        row("empty submission", measured.emptySubmitSeconds, Figure.seconds)
        Terminal.out(table.text)
    }

    private func checkSpeed(of device: Device) throws {
        let use = ProcessorUse()
        var speed = try SpeedCheck(device).run()
        if device.description.kind == .cpu { speed.otherCores = use.othersCores() }
        if json { return try Terminal.json(speed) }
        Terminal.out("\(speed.device)  \(speed.deviceName)  \(speed.driver)")
        Terminal.out("f32 multiply-add  \(Figure.gigaflopsPerSecond(speed.f32FlopsPerSecond.upperQuartile))")
        Terminal.out("memory copy       \(Figure.gigabytesPerSecond(speed.copyBytesPerSecond.upperQuartile))")
        if let given = speed.coresGiven {
            Terminal.out(String(format: "processor time    %.2f cores given", given.upperQuartile))
        }
        if !speed.isUndisturbed {
            Terminal.out(String(format: "beside others, who took %.1f cores", speed.otherCores ?? 0))
        }
    }
}
