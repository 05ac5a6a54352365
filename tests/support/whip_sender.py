"""A speaker by WHIP who shares no code with a browser or with us: whip_sender.py URL FILM SECONDS.

Plays a film again and again as H.264 and Opus, stops as RFC 9725 wants it, and prints each step. Ends with 1 when refused.
"""

import asyncio
import sys
from urllib.parse import urljoin

import aiohttp
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.contrib.media import MediaPlayer


async def speak(url: str, film: str, seconds: float) -> int:
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    player = MediaPlayer(film, loop=True)
    picture = connection.addTransceiver(player.video, direction="sendonly")
    codecs = RTCRtpSender.getCapabilities("video").codecs
    picture.setCodecPreferences([codec for codec in codecs if codec.mimeType == "video/H264"])
    connection.addTransceiver(player.audio, direction="sendonly")
    connection.on("connectionstatechange", lambda: print(connection.connectionState, flush=True))
    await connection.setLocalDescription(await connection.createOffer())
    async with aiohttp.ClientSession() as http:
        offer = {"data": connection.localDescription.sdp, "headers": {"Content-Type": "application/sdp"}}
        async with http.post(url, **offer) as answer:
            body, status, place = await answer.text(), answer.status, answer.headers.get("Location")
        print(status, flush=True)
        if status == 201:
            await connection.setRemoteDescription(RTCSessionDescription(body, "answer"))
            await asyncio.sleep(seconds)
            async with http.delete(urljoin(url, place)) as answer:
                print(f"stopped {answer.status}", flush=True)
        else:
            print(body, flush=True)
    await connection.close()
    return 0 if status == 201 else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(speak(sys.argv[1], sys.argv[2], float(sys.argv[3]))))
