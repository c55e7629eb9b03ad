import ArgumentParser
import HearthCompute

struct Devices: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List what kernels can run on.")

    @Flag(help: "Print JSON.") var json = false

    private struct Listing: Encodable {
        let devices: [DeviceDescription]
        let vulkanProblem: String?
    }

    func run() throws {
        let (devices, problem) = Device.list()
        if json { return try Terminal.json(Listing(devices: devices, vulkanProblem: problem)) }
        var table = TextTable("DEVICE", "KIND", "NAME", "DRIVER", "API", "MEMORY", "FREE", "SUBGROUP", "FEATURES")
        for device in devices {
            table.add(
                device.selector, device.kind.rawValue, device.name, device.driver, device.apiVersion,
                Figure.gibibytes(device.memoryByteCount), device.freeByteCount.map(Figure.gibibytes) ?? "-",
                "\(device.subgroupSize)",
                device.unusable.map { "unusable: \($0)" } ?? device.features.joined(separator: " "))
        }
        Terminal.out(table.text)
        for device in devices where !device.matrixShapes.isEmpty {
            let shapes = device.matrixShapes.map {
                "\($0.m)x\($0.n)x\($0.k) \($0.a)*\($0.b)+\($0.c)->\($0.result) \($0.scope)"
            }
            Terminal.out("\(device.selector) cooperative matrices: \(shapes.joined(separator: ", "))")
        }
        if let problem { Terminal.error("vulkan: \(problem)") }
    }
}
