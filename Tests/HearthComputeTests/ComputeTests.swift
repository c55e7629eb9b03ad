import Foundation
import HearthCompute
import HearthKernels
import Support
import Testing

@Suite struct DeviceTests {
    @Test func listsTheCPUAlways() {
        let cpu = Device.list().devices.first { $0.selector == "cpu" }
        #expect(cpu?.kind == .cpu && cpu!.memoryByteCount > 1 << 20)
    }

    @Test func autoNeverOpensASoftwareDevice() throws {
        #expect(try Device.open(.auto).description.kind != .software)
    }

    @Test(arguments: ["gpu", "vulkan:", "vulkan:-1", "vulkan:x", "", "CPU"])
    func rejectsSelectorsThatNameNothing(text: String) {
        #expect(throws: DeviceError.self) { try DeviceSelector(text) }
    }

    @Test func missingIndexNamesWhatThereIs() {
        do { _ = try Device.open(.vulkanIndex(63)) } catch {
            #expect(error.code == .noSuchDevice || error.code == .driverMissing)
            #expect("\(error)".contains("63") || "\(error)".contains("Vulkan"))
            return
        }
        Issue.record("vulkan:63 was opened")
    }

    @Test func vulkanWithoutHardwareNamesTheSoftwareDevice() {
        let software = Device.list().devices.filter { $0.kind == .software }
        guard software.count == Device.list().devices.count - 1, !software.isEmpty else { return }
        do { _ = try Device.open(.vulkan) } catch { return #expect("\(error)".contains(software[0].selector)) }
        Issue.record("a software device was opened without being named")
    }
}

@Suite struct BufferTests {
    @Test(arguments: TestDevices.selectors)
    func readsBackWhatWasWritten(selector: String) throws {
        let device = try TestDevices.device(selector)
        let values = (0..<10_007).map { UInt32($0) &* 2_654_435_761 }
        let tensor = try device.makeTensor(.i32, [values.count])
        try tensor.write(values)
        #expect(try tensor.read(as: UInt32.self) == values)
    }

    /// Through staging: less than a piece of 8 MiB, exactly some, and a last one that is not whole; several threads at once.
    @Test(arguments: TestDevices.vulkan)
    func stagedTransfersMoveEveryByte(selector: String) async throws {
        let device = try Device.open(DeviceSelector(selector))
        device.forced.withLock { $0.isStaged = true }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for count in [4, 8 << 20, 16 << 20, (8 << 20) + 4, (20 << 20) + 12] {
                group.addTask {
                    let buffer = try device.makeBuffer(byteCount: count + 8)
                    let values = (0..<count / 4).map { UInt32($0) &* 2_654_435_761 &+ UInt32(count) }
                    try values.withUnsafeBytes { try buffer.write($0, at: 4) }
                    var back = [UInt32](repeating: 0, count: values.count)
                    try back.withUnsafeMutableBytes { try buffer.read(into: $0, at: 4) }
                    return back == values
                }
            }
            for try await isSame in group { #expect(isSame) }
        }
    }

    @Test(arguments: TestDevices.selectors)
    func absurdAllocationIsAnErrorWithNumbers(selector: String) throws {
        guard selector != "cpu" else { return }
        let device = try TestDevices.device(selector)
        do { _ = try device.makeBuffer(byteCount: 1 << 46) } catch {
            return #expect(error.description.contains("\(1 << 46) bytes"))
        }
        Issue.record("64 TiB were allocated")
    }

    /// Of several pieces, with a last one and a last word that are not whole; what lies beside it stays.
    @Test(arguments: TestDevices.selectors)
    func fillingReachesEveryByteAndNoMore(selector: String) throws {
        let device = try TestDevices.device(selector)
        for count in [3, 4 << 20 | 6] {
            let whole = try device.makeTensor(.i8, [4 + count + 4])
            try whole.fill(0)
            try whole.rows(4..<4 + count).fill(0x0403_0201)
            let bytes = try whole.read(as: UInt8.self)
            #expect(bytes[..<4].allSatisfy { $0 == 0 } && bytes.suffix(4).allSatisfy { $0 == 0 })
            #expect(bytes.dropFirst(4).dropLast(4).enumerated().allSatisfy { $1 == UInt8($0 % 4 + 1) })
        }
    }

    @Test(arguments: TestDevices.selectors)
    func buffersOutliveTheirHandlesUntilTheWorkIsDone(selector: String) throws {
        let device = try TestDevices.device(selector)
        let n = 1 << 20
        let sum = try device.makeTensor(.f32, [n])
        func submitAndForget() throws -> Submission {
            let a = try device.makeTensor([Float](repeating: 1, count: n), [n])
            let b = try device.makeTensor([Float](repeating: 2, count: n), [n])
            var encoder = try device.makeEncoder()
            for _ in 0..<8 { try Add.encode(a, b, into: sum, &encoder) }
            return try encoder.submit()
        }
        _ = try submitAndForget()
        #expect(try sum.read(as: Float.self).allSatisfy { $0 == 3 })
    }

    @Test(arguments: TestDevices.selectors)
    func dependentKernelsRunInOrder(selector: String) throws {
        let device = try TestDevices.device(selector)
        let n = 4099
        let x = try device.makeTensor([Float](repeating: 1, count: n), [n])
        var encoder = try device.makeEncoder()
        for _ in 0..<12 { try Add.encode(x, x, into: x, &encoder) }
        let submission = try encoder.submit()
        #expect(try submission.wait() > .zero)
        #expect(submission.kernels.count == 12 && submission.cost.flops == Double(12 * n))
        #expect(try x.read(as: Float.self).allSatisfy { $0 == 4096 })
    }

    @Test(arguments: TestDevices.selectors)
    func anAbandonedEncoderChangesNothingLater(selector: String) throws {
        let device = try TestDevices.device(selector)
        let x = try device.makeTensor([1, 2, 3], [3])
        for _ in 0..<3 {
            if selector != "cpu" {
                var abandoned = try device.makeEncoder()
                try Add.encode(x, x, into: x, &abandoned)
            }
        }
        try device.makeEncoder().submit().wait()
        #expect(try x.read(as: Float.self) == [1, 2, 3])
    }
}

@Suite struct TensorTests {
    @Test func viewsKeepOffsetsAndStrides() throws {
        let device = try Device.open(.cpu)
        let x = try device.makeTensor((0..<24).map(Float.init), [4, 6])
        #expect(try x.rows(1..<3).read(as: Float.self) == (6..<18).map(Float.init))
        #expect(x.transposed.shape == [6, 4] && !x.transposed.isContiguous)
        #expect(x.reshaped([2, 12]).rows(1..<2).byteOffset == 48)
    }
}

@Suite struct PipelineCacheTests {
    @Test func aDamagedFileIsNoCache() throws {
        let folder = try TestPaths.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = URL(fileURLWithPath: folder + "/cache.bin")
        #expect(PipelineLibrary.load(file).isEmpty)
        let data = (0..<100).map { UInt8($0) }
        try PipelineLibrary.store(data, in: file)
        #expect(PipelineLibrary.load(file) == data)
        let stored = try Data(contentsOf: file)
        for index in stored.indices {
            var damaged = stored
            damaged[index] ^= 0x10
            try damaged.write(to: file)
            #expect(PipelineLibrary.load(file).isEmpty, "byte \(index)")
        }
        try stored.prefix(50).write(to: file)
        #expect(PipelineLibrary.load(file).isEmpty)
    }
}
