// The phone itself: what it is, how warm it is. No name, no identifier of its owner. NOT RUN HERE on a phone or a Mac,
// see ../README.md.

import Foundation
import UIKit

enum Device {
    static let version = "0.1.0"

    private static let thermal: [ProcessInfo.ThermalState: String] = [
        .nominal: "nominal", .fair: "fair", .serious: "serious", .critical: "critical",
    ]

    static var machine: JSON {
        var size = 0
        sysctlbyname("hw.machine", nil, &size, nil, 0)
        var model = [CChar](repeating: 0, count: max(size, 1))
        sysctlbyname("hw.machine", &model, &size, nil, 0)
        let info = ProcessInfo.processInfo
        return [
            "system": "iOS", "distribution": "iOS " + info.operatingSystemVersionString, "cpu": String(cString: model),
            "architecture": "arm64", "logical_cpus": info.processorCount, "memory_mib": Int(info.physicalMemory >> 20),
        ]
    }

    static var capabilities: JSON {
        let runtime: JSON = ["versions": ["ios": ProcessInfo.processInfo.operatingSystemVersionString], "formats": ["mlpackage"],
                             "precisions": ["fp16", "fp32"]]
        return ["driver": "ios-app", "kind": "apple", "device": machine, "runtimes": ["coreml": runtime], "checks": [String](),
                "agent": version, "protocol": 1]
    }

    static var health: JSON {
        ["thermal": thermal[ProcessInfo.processInfo.thermalState] ?? "unknown", "low_power": ProcessInfo.processInfo.isLowPowerModeEnabled]
    }

    static func surroundings() async -> JSON {
        let (level, isCharging) = await MainActor.run {
            UIDevice.current.isBatteryMonitoringEnabled = true
            return (UIDevice.current.batteryLevel, UIDevice.current.batteryState != .unplugged)
        }
        let percent: Any = level < 0 ? NSNull() : Int(level * 100) // below 0: not known
        return ["battery_percent": percent, "charging": isCharging, "low_power": ProcessInfo.processInfo.isLowPowerModeEnabled]
    }

    /// The thermal state before a block, after waiting up to two minutes for it to be nominal; `beat` is asked meanwhile.
    static func cool(beat: () async throws -> Void) async throws -> ProcessInfo.ThermalState {
        guard await MainActor.run(body: { UIApplication.shared.applicationState == .active }) else {
            throw LeaseFailure(kind: "unhealthy", reason: "the app is not in the foreground; iOS slows it down there; open it")
        }
        for _ in 0..<24 where ProcessInfo.processInfo.thermalState != .nominal {
            try await beat()
            try await Task.sleep(nanoseconds: 5_000_000_000)
        }
        let state = ProcessInfo.processInfo.thermalState
        guard state == .nominal || state == .fair else {
            throw LeaseFailure(kind: "unhealthy", reason: "the thermal state is \(thermal[state] ?? "unknown"); let the phone cool down")
        }
        return state
    }

    /// What is known of a block: iOS does not tell what others did.
    static func window(_ before: ProcessInfo.ThermalState) -> JSON {
        let now = ProcessInfo.processInfo
        let worst = now.thermalState.rawValue > before.rawValue ? now.thermalState : before
        var reasons = worst == .nominal ? [] : ["the thermal state was \(thermal[worst] ?? "unknown")"]
        if now.isLowPowerModeEnabled { reasons.append("low power mode was on") }
        let told: Any = reasons.isEmpty ? NSNull() : reasons.joined(separator: "; ")
        return ["blocks": 1, "others": NSNull(), "contention": told, "throttling": told]
    }
}
