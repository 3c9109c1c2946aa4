# Installs harmony @VERSION@ for one user:  irm @REPOSITORY@/releases/latest/download/install.ps1 | iex
#
#   $env:HARMONY_PREFIX    where it goes (%LOCALAPPDATA%\Programs\harmony)
#   $env:HARMONY_RELEASE   where the archive is (@REPOSITORY@/releases/download/v@VERSION@)
#
# The archive must have the published checksum and the release's signature, else nothing is installed.
# To remove it: delete that folder, and take its bin folder from the user's Path.
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

$version = '@VERSION@'
$name = "harmony-$version-x86_64-pc-windows-msvc"
$prefix = if ($env:HARMONY_PREFIX) { $env:HARMONY_PREFIX } else { Join-Path $env:LOCALAPPDATA 'Programs\harmony' }
$release = if ($env:HARMONY_RELEASE) { $env:HARMONY_RELEASE } else { "@REPOSITORY@/releases/download/v$version" }
# The release's public key, as Windows PowerShell 5.1 reads it.
$key = '<RSAKeyValue><Modulus>@MODULUS@</Modulus><Exponent>AQAB</Exponent></RSAKeyValue>'

$work = Join-Path ([IO.Path]::GetTempPath()) ([Guid]::NewGuid())
New-Item -ItemType Directory -Path $work | Out-Null
try {
    $archive = Join-Path $work "$name.zip"
    foreach ($suffix in '', '.sha256', '.sig') {
        Invoke-WebRequest -UseBasicParsing -Uri "$release/$name.zip$suffix" -OutFile "$archive$suffix"
    }

    $expected = (Get-Content "$archive.sha256").Split(' ')[0]
    if ((Get-FileHash -Algorithm SHA256 $archive).Hash -ne $expected) {
        throw "$name.zip does not have the published checksum. Try again."
    }
    $rsa = New-Object System.Security.Cryptography.RSACryptoServiceProvider
    $rsa.FromXmlString($key)
    $signature = [IO.File]::ReadAllBytes("$archive.sig")
    if (-not $rsa.VerifyData([IO.File]::ReadAllBytes($archive), 'SHA256', $signature)) {
        throw "$name.zip does not have the signature of the release. Do not use it, and tell the maintainers."
    }

    Expand-Archive -Path $archive -DestinationPath $work
    if (Test-Path $prefix) { Remove-Item -Recurse -Force $prefix }
    New-Item -ItemType Directory -Force -Path (Split-Path $prefix) | Out-Null
    Move-Item (Join-Path $work $name) $prefix
} finally {
    Remove-Item -Recurse -Force $work
}

$bin = Join-Path $prefix 'bin'
$path = [Environment]::GetEnvironmentVariable('Path', 'User')
if (($path -split ';') -notcontains $bin) {
    [Environment]::SetEnvironmentVariable('Path', "$path;$bin".TrimStart(';'), 'User')
    Write-Output "Open a new terminal: $bin is on your Path now."
}
Write-Output "harmony $version is in $bin"
